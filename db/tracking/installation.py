"""Puts a table's triggers in place, cuts its buckets anew, and removes all of it."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg import sql

from db.pool import Connection
from db.tracking.buckets import Bucket, Cut, KeyRange, ranges_between, span_of
from db.tracking.errors import CutsDoNotFit, NotTracked, TableBusy, TrackingError
from db.tracking.keys import key_type
from db.tracking.refusals import refuse, table_facts
from db.tracking.tracked_table import (
    TrackedTable,
    add_buckets,
    current_buckets,
    tracked_table,
)
from db.tracking.trigger_text import function_name, trigger_function, trigger_statements

T = TypeVar("T")

_ADD = """INSERT INTO millrace.accelerated_tables (relation, schema_name, table_name, key_column,
       key_number, key_type, columns_then, triggers_then)
VALUES ($1::oid, $2, $3, $4, $5::smallint, $6, '{}', '{}') RETURNING id"""
_FINGERPRINT = """UPDATE millrace.accelerated_tables
   SET columns_then = millrace.columns_now(relation),
       triggers_then = millrace.triggers_now(relation) WHERE id = $1::int"""
_RETIRE = "UPDATE millrace.buckets SET is_current = false WHERE id = ANY ($1::bigint[])"
_REMOVE = "DELETE FROM millrace.accelerated_tables WHERE id = $1::int"
_FORGET = "DELETE FROM millrace.table_changes WHERE accelerated = $1::int"


@dataclass(frozen=True)
class LockRules:
    """How a lock on a user's table is taken: who comes after us waits as long as we do.

    At most `wait_s` at a time, `attempts` times, with a random pause of up to `pause_s` between.
    """

    wait_s: float = 0.1
    attempts: int = 50
    pause_s: float = 0.5


class Installation:
    """Makes and unmakes what tracks tables, each step whole or not at all.

    Connections are the owner's, in autocommit mode, with values as text.
    """

    def __init__(
        self,
        rules: LockRules | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._rules = rules or LockRules()
        self._pause = pause
        self._chance = chance

    def install(
        self, connection: Connection, schema: str, name: str, cuts: Sequence[Cut]
    ) -> TrackedTable:
        """Have all changes logged that begin from now on, by the buckets between `cuts`.

        When it returns, each transaction that wrote without being logged is over: its changes are
        in every snapshot taken later.  Writers wait for the moment that it takes; readers don't.
        Raises TableRefused, TableBusy, CutsDoNotFit.
        """
        ranges = ranges_between(None, cuts, None)
        refuse(table_facts(connection, schema, name))

        def work() -> TrackedTable:
            connection.execute(
                sql.SQL("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE").format(
                    sql.Identifier(schema, name)
                )
            )
            return _install(connection, schema, name, ranges)

        return self._with_lock(connection, f'"{schema}"."{name}"', work)

    def remove(self, connection: Connection, oid: int, only: int | None = None) -> None:
        """Remove triggers, function, buckets, the list of segments and the log of a table.

        `only`: nothing, if the table was installed anew since it had this id.

        Readers and writers wait for the moment that it takes.  Files of segments are left for the
        clean-up.  Raises NotTracked, TableBusy.
        """
        table = tracked_table(connection, oid)
        if only is not None and table.id != only:
            raise NotTracked(f"The acceleration {only} is no more.")

        def work() -> None:
            identity = [str(table.id)]
            if tracked_table(connection, oid, lock=True).id != table.id:
                raise NotTracked(f"The acceleration {table.id} is no more.")
            # triggers go with it, also from a table that was renamed, or attached somewhere
            connection.execute(
                sql.SQL("DROP FUNCTION IF EXISTS {}() CASCADE").format(function_name(table.id))
            )
            connection.execute(_REMOVE, identity)
            connection.execute(_FORGET, identity)

        self._with_lock(connection, f'"{table.schema}"."{table.name}"', work)

    def _with_lock(self, connection: Connection, table: str, work: Callable[[], T]) -> T:
        limit = f"SET LOCAL lock_timeout = {max(1, round(self._rules.wait_s * 1000))}"
        for attempt in range(1, self._rules.attempts + 1):
            try:
                with connection.transaction():
                    connection.execute(limit.encode())
                    return work()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if attempt == self._rules.attempts:
                    raise TableBusy(
                        f"{table} is locked by others: no moment was free in {attempt} attempts of "
                        f"{self._rules.wait_s:g} s. Try again when its long transactions are over."
                    ) from error
            self._pause(self._chance() * self._rules.pause_s)
        raise TrackingError("No attempt was allowed.")


def cut_anew(
    connection: Connection, oid: int, replaced: Sequence[Bucket], cuts: Sequence[Cut]
) -> list[Bucket]:
    """Put new buckets, between `cuts`, in the place of neighbours; return the new ones.

    Takes no lock on the table.  Writers that run meanwhile may go on to log the old buckets' ids,
    which mean the same as ever.  Raises NotTracked, and CutsDoNotFit also where somebody else cut
    them in between.
    """
    with connection.transaction():
        table = tracked_table(connection, oid, lock=True)
        current = current_buckets(connection, table.id)
        if any(bucket not in current for bucket in replaced):
            raise CutsDoNotFit("These buckets were cut anew already.")
        span = span_of(replaced)
        ids = {bucket.id for bucket in replaced}
        connection.execute(_RETIRE, ["{" + ",".join(map(str, ids)) + "}"])
        added = add_buckets(connection, table.id, ranges_between(span.lower, cuts, span.upper))
        kept = [bucket for bucket in current if bucket.id not in ids]
        everything = sorted(
            kept + added,
            key=lambda bucket: float("-inf") if not bucket.range.lower else bucket.range.lower.rank,
        )
        connection.execute(trigger_function(table.id, table.key_column, table.key, everything))
        return added


def _install(
    connection: Connection, schema: str, name: str, ranges: Sequence[KeyRange]
) -> TrackedTable:
    facts = table_facts(connection, schema, name)  # again, now that nobody changes it
    refuse(facts)
    column, key = str(facts.key_column), key_type(str(facts.key_type))
    values = [str(facts.oid), schema, name, column, str(facts.key_number), key.name]
    row = connection.execute(_ADD, values).fetchone()
    accelerated = int(str(row and row[0]))
    buckets = add_buckets(connection, accelerated, ranges)
    connection.execute(trigger_function(accelerated, column, key, buckets))
    connection.execute(
        sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(function_name(accelerated))
    )
    for statement in trigger_statements(accelerated, sql.Identifier(schema, name)):
        connection.execute(statement)
    connection.execute(_FINGERPRINT, [str(accelerated)])
    return TrackedTable(accelerated, facts.oid, schema, name, column, key)

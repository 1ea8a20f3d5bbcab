"""Begins to track a table, in buckets of about the size that is wanted."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from db.database import Database
from db.pool import Connection
from db.tracking.buckets import Cut, KeyRange
from db.tracking.cuts import choose_cuts, holds_more_than
from db.tracking.installation import Installation
from db.tracking.keys import key_type
from db.tracking.orders import order_once
from db.tracking.refusals import refuse, table_facts
from db.tracking.tracked_table import TrackedTable
from segments.settings import SegmentSettings


def accelerate(
    owner: Database,
    reader: Database,
    installation: Installation,
    settings: SegmentSettings,
    name: tuple[str, str],
) -> TrackedTable:
    """Track the table of this schema and name; its segments are for a Keeper to build.

    It is ordered with that: if its tracking breaks, keepers install it anew.

    Raises TableRefused, TableBusy, DatabaseError, psycopg.Error.
    """
    with owner.connection() as connection:
        facts = table_facts(connection, *name)
        refuse(facts)
    table = TrackedTable(0, facts.oid, *name, str(facts.key_column), key_type(str(facts.key_type)))
    # read before the triggers are made: that takes long, and nobody may write while they are
    cuts = read_cuts(reader, table, settings, KeyRange(None, None))
    with owner.connection() as connection:
        order_once(connection, *name)
        return installation.install(connection, *name, cuts)


def read_cuts(
    reader: Database, table: TrackedTable, settings: SegmentSettings, span: KeyRange
) -> list[Cut]:
    """Return where to cut a range so that buckets have about `bucket_rows` rows.

    The last cut is at the greatest key where the range has no end, so that what is appended falls
    into a tail of its own.  Reads the index of the key, for `build_limit_s` at most.
    """
    with _patient(reader, settings) as connection:
        return choose_cuts(
            connection,
            sql.Identifier(table.schema, table.name),
            table.key_column,
            table.key,
            rows=settings.bucket_rows,
            span=span,
        )


def outgrown(
    reader: Database, table: TrackedTable, settings: SegmentSettings, span: KeyRange
) -> bool:
    """Tell whether a range has twice as many rows as a bucket is to have, and more."""
    with _patient(reader, settings) as connection:
        return holds_more_than(
            connection,
            sql.Identifier(table.schema, table.name),
            table.key_column,
            table.key,
            rows=2 * settings.bucket_rows,
            span=span,
        )


@contextmanager
def _patient(reader: Database, settings: SegmentSettings) -> Iterator[Connection]:
    """Give a connection whose statements may take as long as a build."""
    with reader.connection() as connection, connection.transaction():
        connection.patience_s = settings.build_limit_s
        limit = round(settings.build_limit_s * 1000)
        connection.execute(f"SET LOCAL statement_timeout = {limit}".encode())
        yield connection

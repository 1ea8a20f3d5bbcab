"""Tables: shown, and their acceleration ordered and taken back."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg

from app.models_tables import TableDocument
from app.problem_types import DATABASE_CONFLICT, TABLE_REFUSED, TABLE_UNKNOWN
from app.problems import FieldError, Problem
from app.tables.documents import table_document
from db.database import Database
from db.pool import Connection
from db.tracking.errors import NameMalformed, NotTracked, TableBusy, TableRefused
from db.tracking.installation import Installation
from db.tracking.names import parse_name, written_name
from db.tracking.orders import cancel, carried_out, order, orders
from db.tracking.refusals import refusal_of, table_facts
from db.tracking.survey import Acceleration, QueryableTable, queryable, survey
from db.tracking.tracked_table import tracked_tables

Name = tuple[str, str]
_CONFLICT_RETRY_S = 2.0


class TableDesk:
    """Reads as the reader what can be queried, and as the owner what is accelerated.

    Carrying orders out is for the workers; only what is removed is removed at once where nobody is
    in the way, so that no table is left with triggers where no worker keeps segments.
    """

    def __init__(
        self, owner: Database, reader: Database, schema: str, installation: Installation
    ) -> None:
        self._owner = owner
        self._reader = reader
        self._schema = schema
        self._installation = installation

    @contextmanager
    def _both(self) -> Iterator[tuple[Connection, Connection]]:
        """Give a connection of the owner and one of the reader."""
        try:
            with self._owner.connection() as owner, self._reader.connection() as reader:
                yield owner, reader
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            raise Problem(
                DATABASE_CONFLICT,
                "Somebody holds a lock on one of the tables, as ALTER TABLE does. Try again after "
                "the time in Retry-After.",
                retry_after_s=_CONFLICT_RETRY_S,
            ) from error

    def all(self) -> list[TableDocument]:
        """Return what can be queried in the exposed schema, and what is accelerated elsewhere."""
        with self._both() as (owner, reader):
            accelerations = survey(owner, reader)
            found = {(one.schema, one.name): one for one in queryable(reader, self._schema)}
            others = {(one.schema, one.name) for one in accelerations}
            others |= {(one.schema, one.name) for one in orders(owner)}
            for name in sorted(others - set(found)):
                found[name] = _one(reader, name)
            return self._documents(owner, accelerations, found.values())

    def one(self, text: str) -> TableDocument:
        """Return a table that can be queried, or is to be accelerated.  Raises Problem."""
        name = self._name(text)
        with self._both() as (owner, reader):
            accelerations = survey(owner, reader)
            table = _one(reader, name)
            (document,) = self._documents(owner, accelerations, [table])
        if document.kind == "missing" and document.acceleration is None:
            raise _unknown(text)
        return document

    def accelerate(self, text: str) -> TableDocument:
        """Order an acceleration.  Raises Problem where the table can have none."""
        name = self._name(text)
        with self._both() as (owner, reader):
            try:
                facts = table_facts(owner, *name)
            except TableRefused:
                raise _unknown(text) from None
            if facts.is_accelerated:  # then it has our triggers, too
                facts = replace(facts, is_accelerated=False, has_our_triggers=False)
            refusal = refusal_of(facts)
            if refusal is not None:
                raise _refused(text, refusal.code, refusal.reason, refusal.remedy)
            if _one(reader, name).kind == "":
                raise _refused(
                    text, "no-right", "queries' role may not read it",
                    f'GRANT SELECT on "{name[0]}"."{name[1]}", and USAGE on its schema, to the '
                    "role of MILLRACE_READER_ROLE.",
                )  # fmt: skip
            order(owner, *name)
        return self.one(written_name(*name))

    def remove(self, text: str) -> bool:
        """Take an order back; whether all of it is removed already.  Raises Problem."""
        name = self._name(text)
        with self._owner.connection() as owner:
            if not cancel(owner, *name):
                self.one(text)
                return True
            for table in tracked_tables(owner):
                if (table.schema, table.name) == name:
                    try:
                        self._installation.remove(owner, table.oid, only=table.id)
                    except TableBusy:
                        return False  # a worker goes on with it
                    except NotTracked:
                        break
            for one in orders(owner):
                if (one.schema, one.name) == name and not one.is_wanted:
                    carried_out(owner, one)
        return True

    def _name(self, text: str) -> Name:
        try:
            return parse_name(text, self._schema)
        except NameMalformed:
            raise _unknown(text) from None

    def _documents(
        self,
        owner: Connection,
        accelerations: Iterable[Acceleration],
        tables: Iterable[QueryableTable],
    ) -> list[TableDocument]:
        by_name = {(one.schema, one.name): one for one in accelerations}
        ordered = {(one.schema, one.name): one for one in orders(owner)}
        return [
            table_document(one, by_name.get((one.schema, one.name)),
                           ordered.get((one.schema, one.name)))
            for one in tables
        ]  # fmt: skip


def _one(reader: Connection, name: Name) -> QueryableTable:
    """Return the table of this name; one of no kind where the reader sees none."""
    found = queryable(reader, *name)
    return found[0] if found else QueryableTable(*name, "", (), None, 0)


def _unknown(text: str) -> Problem:
    return Problem(
        TABLE_UNKNOWN,
        f"There is no table {text!r} that can be queried. Write table or schema.table, with a part "
        "that has a dot in double quotes; GET /v1/tables lists them.",
    )


def _refused(text: str, code: str, reason: str, remedy: str) -> Problem:
    return Problem(
        TABLE_REFUSED,
        f"{text} cannot be accelerated: {reason}. {remedy}",
        errors=[FieldError("/name", reason, remedy)],
        extra={"code": code},
    )

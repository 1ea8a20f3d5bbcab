"""What jobs that read tables ask of their parameters, before they are accepted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal, TypeAlias

import psycopg
from pydantic import Field

from app.jobs.job_type import JobTools, refused
from db.describe import describe
from db.pool import Connection
from jobs.tables.errors import TableRefused
from jobs.tables.relation import Relation, find_query, find_table
from query.errors import QueryError
from query.lexer import lex
from query.vetting import refuse_nesting

MOST_DEPTH = 50

Algorithm: TypeAlias = Literal["lookup3-128", "sha256-128"]
TableName: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
ColumnName: TypeAlias = Annotated[str, Field(min_length=1, max_length=63)]
Key: TypeAlias = Annotated[list[ColumnName], Field(min_length=1, max_length=32)]
Columns: TypeAlias = Annotated[list[ColumnName], Field(min_length=1, max_length=1600)]
Where: TypeAlias = Annotated[str, Field(min_length=1, max_length=10_000)]


class TableChecks:
    """Checks on the users' own database; of others only their names are known here."""

    def __init__(self, tools: JobTools) -> None:
        self._tools = tools

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend the reader's connection; TableRefused becomes the problem of its place."""
        try:
            with self._tools.reader.connection() as connection:
                yield connection
        except TableRefused as error:
            raise refused(("parameters", *error.place), error.reason, error.remedy) from error

    def database(self, place: tuple[str, ...], name: str | None) -> None:
        """Refuse a database that is not in the settings."""
        known = sorted(self._tools.databases)
        if name is not None and name not in known:
            there_are = f"There are: {', '.join(known)}." if known else "None is set up."
            raise refused(
                ("parameters", *place), f"No database is called {name}.",
                f"{there_are} MILLRACE_JOBS_DATABASES names them.",
            )  # fmt: skip

    def table(self, connection: Connection, place: tuple[str, ...], name: str) -> Relation:
        """Return the table or view.  Raises TableRefused."""
        found = find_table(connection, name)
        if found is None:
            raise TableRefused(
                place, f"There is no table or view {name} that may be read.",
                "Write it as in SQL: a name with capitals needs its quotes.",
            )  # fmt: skip
        return found

    def query(self, connection: Connection, sql: str) -> Relation:
        """Return what the query's rows are like.  Raises TableRefused."""
        with _sql_errors("query"):
            statement = self._tools.parser.parse(sql)
            if statement.parameter_count:
                raise TableRefused(("query",), "It has parameters.", "Write the values themselves.")
            return find_query(connection, sql)

    def where(
        self, connection: Connection, where: str | None, relations: Sequence[Relation]
    ) -> None:
        """Refuse what is not one condition on the rows of each relation."""
        if where is None:
            return
        with _sql_errors("where"):
            tokens = lex(where).tokens
            # by itself, so that no bracket of it closes the one around it
            refuse_nesting(tokens, MOST_DEPTH)
            if any(token.is_mark(";") for token in tokens):
                raise TableRefused(("where",), "It is more than a condition.", "Leave out the ;.")
            for relation in relations:
                sql = f"SELECT 1 FROM {relation.sql} WHERE (\n{where}\n)"
                if self._tools.parser.parse(sql).parameter_count:
                    raise TableRefused(
                        ("where",), "It has parameters.", "Write the values themselves."
                    )
                describe(connection, sql)


@contextmanager
def _sql_errors(place: str) -> Iterator[None]:
    try:
        yield
    except QueryError as error:
        raise TableRefused((place,), error.reason, error.remedy) from error
    except psycopg.Error as error:
        if error.sqlstate is None or not error.sqlstate.startswith(("42", "22", "0A")):
            raise
        message = (error.diag.message_primary or str(error)).rstrip(".")
        raise TableRefused((place,), f"{message}.", "Correct it.") from error

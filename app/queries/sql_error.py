"""PostgreSQL's refusal of a user's SQL, with all that it says about it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

import psycopg

from db.sqlstate import is_infrastructure
from query.statement import Statement

MAX_NAMES = 10
NAMES = ("3D", "3F", "42")  # invalid catalog name, invalid schema name, access rule violation
SYNTAX_ERROR = "42601"
INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED_TABLE = "42P01"


class SqlError(Exception):
    """A `psycopg.Error` about the SQL itself.

    `position` is the character in the user's text, from 1.  PostgreSQL's words never hold data of
    tables that the reader may not see, so they are for the user; what they tell of the names of
    things is for `schema_kept` to keep back.
    """

    def __init__(
        self,
        sqlstate: str,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position

    def with_hint(self, hint: str | None) -> "SqlError":
        """Return the error with this hint, where PostgreSQL gives none."""
        return SqlError(
            self.sqlstate,
            self.message,
            detail=self.detail,
            hint=self.hint or hint,
            position=self.position,
        )


def did_you_mean(message: str, known: Sequence[str]) -> str | None:
    """Return a hint from the name that `message` quotes, and the names that there are."""
    quoted = re.search(r'"(?:.*\.)?([^".]+)"', message)
    near = get_close_matches(quoted.group(1), known, n=1) if quoted else []
    if near:
        return f"Did you mean {near[0]}?"
    if known:
        return f"There are: {', '.join(known[:MAX_NAMES])}{' …' if len(known) > MAX_NAMES else ''}."
    return "There is no table that the reader may read; millrace load makes one from a file."


@contextmanager
def schema_kept(statement: Statement) -> Iterator[None]:
    """Give one answer to all that PostgreSQL refuses about names in other schemas.

    It checks rights late: "no such column" (with the name of the one that was meant), "permission
    denied" and "no such schema" tell what is there.  A name of two parts in place of a column is
    different: PostgreSQL looks for its table in FROM alone, so a wrong alias may be told of.
    """
    try:
        yield
    except SqlError as error:
        tells = error.sqlstate.startswith(NAMES) and error.sqlstate != SYNTAX_ERROR
        is_alias = error.sqlstate == UNDEFINED_TABLE and not statement.leaves_for_tables
        if statement.leaves_schema and tells and not is_alias:
            raise SqlError(
                INSUFFICIENT_PRIVILEGE,
                "The query names another schema, and what it names there does not exist, does not "
                "fit, or is out of reach",
                hint="Leave the schema out: only one can be queried.",
            ) from error
        raise


@contextmanager
def translated(prefix: str = "") -> Iterator[None]:
    """Raise SqlError for errors about SQL that begins with our own `prefix`.

    Errors about the server or the connection pass through: they are the pool's business.
    """
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is None or is_infrastructure(error.sqlstate):
            raise
        diagnostic = error.diag
        at = int(diagnostic.statement_position or 0) - len(prefix)
        raise SqlError(
            error.sqlstate,
            diagnostic.message_primary or str(error),
            detail=diagnostic.message_detail,
            hint=diagnostic.message_hint,
            position=at if at > 0 else None,
        ) from error

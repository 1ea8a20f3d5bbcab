"""PostgreSQL's refusal of a user's SQL, with all that it says about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from db.sqlstate import is_infrastructure


class SqlError(Exception):
    """A `psycopg.Error` about the SQL itself.

    `position` is the character in the user's text, from 1.  PostgreSQL's words never hold data of
    tables that the reader may not see, so they are for the user.
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

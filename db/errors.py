"""What can go wrong between this process and PostgreSQL, by cause.

An error in somebody's SQL is none of these: it stays a `psycopg.Error` with its SQLSTATE.
"""


class DatabaseError(Exception):
    """Root of this package's errors; the message says what happened and what to do.

    `pool` is the name of the pool that was asked; empty until the error leaves it.
    """

    pool = ""


class CheckoutTimeout(DatabaseError):
    """Every connection of the pool stayed in use for as long as the caller could wait.

    `waited_s` is 0.0 when the caller was turned away at once, since too many wait already.
    PostgreSQL itself is reachable; the remedy is fewer or shorter queries, or a larger pool.
    """

    def __init__(self, message: str, waited_s: float) -> None:
        super().__init__(message)
        self.waited_s = waited_s


class DatabaseUnavailable(DatabaseError):
    """PostgreSQL cannot be reached, or the connection to it was lost.

    Trying again before `retry_after_s` seconds have passed is unlikely to help.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BreakerOpen(DatabaseUnavailable):
    """PostgreSQL has failed often enough that it isn't even asked for a while."""


class ConnectionLost(DatabaseUnavailable):
    """The connection broke while it was in use; what only read may be tried again at once."""


class TooSlow(DatabaseUnavailable):
    """PostgreSQL answers, or lets itself be reached, too slowly to be used."""


class ByCommand(DatabaseError):
    """Why a breaker changed that nothing failed for: an operator said so."""


class DatabaseReadOnly(DatabaseUnavailable):
    """PostgreSQL answers and takes no writes: a standby, or a server that was made read-only.

    What only reads goes on.
    """


class MigrationFailed(DatabaseError):
    """The database cannot be brought to this version; nothing of the failed step remains."""

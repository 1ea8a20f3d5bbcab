"""Each kind of failure is told apart."""

import psycopg
import pytest

from db.errors import CheckoutTimeout, DatabaseUnavailable
from worker.failures import OutOfTime, PartialTooLarge, SnapshotGone, fragment_error


@pytest.mark.parametrize(
    ("error", "kind", "sqlstate"),
    [
        (psycopg.errors.DivisionByZero("division by zero"), "sql", "22012"),
        (psycopg.errors.QueryCanceled("canceling"), "timeout", "57014"),
        (psycopg.errors.LockNotAvailable("lock"), "timeout", "55P03"),
        (psycopg.OperationalError("the connection is closed"), "database", None),
        (DatabaseUnavailable("gone", 1.0), "database", None),
        (CheckoutTimeout("busy", 1.0), "database", None),
        (SnapshotGone("gone"), "snapshot", None),
        (PartialTooLarge("large"), "too_large", None),
        (OutOfTime("late"), "timeout", None),
        (ValueError("not a fragment"), "internal", None),
    ],
)
def test_kinds_of_failure_are_told_apart(error: Exception, kind: str, sqlstate: str | None) -> None:
    told = fragment_error(error)
    assert (told.kind, told.sqlstate) == (kind, sqlstate)
    assert str(error) in told.message

"""Which errors count against PostgreSQL."""

import psycopg
import pytest

from db.errors import (
    BreakerOpen,
    CheckoutTimeout,
    ConnectionLost,
    DatabaseReadOnly,
    DatabaseUnavailable,
    TooSlow,
)
from db.sqlstate import is_infrastructure, judge, sqlstate_of


@pytest.mark.parametrize(
    "sqlstate", ["08006", "53100", "53200", "53300", "57P01", "57P02", "57P03", "58030"]
)
def test_trouble_of_the_server_counts(sqlstate: str) -> None:
    assert is_infrastructure(sqlstate)
    assert judge(psycopg.errors.lookup(sqlstate)()) == "failure"


@pytest.mark.parametrize(
    "sqlstate",
    ["57014", "42P01", "42703", "22012", "25006", "42501", "40001", "55P03", "25P03", "53400"],
)
def test_trouble_of_the_sql_proves_that_the_server_works(sqlstate: str) -> None:
    assert not is_infrastructure(sqlstate)
    assert judge(psycopg.errors.lookup(sqlstate)()) == "success"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DatabaseUnavailable("", 1.0), "failure"),
        (BreakerOpen("", 1.0), "unknown"),
        (TooSlow("", 1.0), "failure"),
        (ConnectionLost("", 1.0), "failure"),
        (DatabaseReadOnly("", 1.0), "success"),
        (CheckoutTimeout("", 1.0), "unknown"),
        (psycopg.errors.PipelineAborted(), "unknown"),
        (ValueError(), "unknown"),
    ],
)
def test_our_own_errors_count_only_when_postgresql_was_away(error: Exception, outcome: str) -> None:
    assert judge(error) == outcome


def test_the_sqlstate_is_found_behind_the_error_that_was_raised_from_it() -> None:
    wrapped = RuntimeError()
    wrapped.__cause__ = psycopg.errors.AdminShutdown()
    assert sqlstate_of(wrapped) == "57P01"
    assert sqlstate_of(RuntimeError()) is None

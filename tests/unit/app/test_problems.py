"""Problem documents, and the table that says which error becomes which."""

import pytest
from werkzeug.exceptions import ImATeapot

from app.problem_table import TABLE, problem_for, title_of
from app.problem_types import (
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    PROBLEM_TYPES,
    QUEUE_UNAVAILABLE,
    TIMED_OUT,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem, ProblemType
from db.breaker_board import BoardUnavailable
from db.errors import (
    BreakerOpen,
    CheckoutTimeout,
    ConnectionLost,
    DatabaseReadOnly,
    DatabaseUnavailable,
)
from tasks.errors import GatherTimeout, NoWorkers, QueueUnavailable


def test_a_document_has_the_members_of_rfc_9457() -> None:
    problem = Problem(VALIDATION_FAILED, "It is wrong.", errors=[FieldError("/a", "Bad.", "Fix.")])
    assert problem.document("id-1") == {
        "type": "/problems/validation-failed",
        "title": VALIDATION_FAILED.title,
        "status": 422,
        "detail": "It is wrong.",
        "instance": "id-1",
        "errors": [{"pointer": "/a", "reason": "Bad.", "remedy": "Fix."}],
    }


def test_extra_members_are_added_and_replace_none() -> None:
    problem = Problem(TIMED_OUT, "Late.", extra={"after_s": 2, "status": 200})
    document = problem.document("id-1")
    assert (document["after_s"], document["status"]) == (2, 504)


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.1, "2")])
def test_retry_after_is_whole_seconds_and_never_zero(seconds: float, header: str) -> None:
    problem = Problem(DATABASE_BUSY, "Busy.", retry_after_s=seconds)
    assert problem.headers == {"Retry-After": header}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatabaseUnavailable("host 10.0.0.1 refused", 1.5), DATABASE_UNAVAILABLE),
        (BreakerOpen("open", 0.5), DATABASE_UNAVAILABLE),
        (CheckoutTimeout("all 10 in use", 5.0), DATABASE_BUSY),
        (DatabaseReadOnly("no writes", 5.0), DATABASE_READ_ONLY),
        (ConnectionLost("host 10.0.0.1 went away", 1.0), DATABASE_UNAVAILABLE),
        (BoardUnavailable("10.0.0.1 refused"), QUEUE_UNAVAILABLE),
        (QueueUnavailable("10.0.0.1 refused"), QUEUE_UNAVAILABLE),
        (NoWorkers("none"), QUEUE_UNAVAILABLE),
    ],
)
def test_what_is_away_is_a_503_with_retry_after(error: Exception, kind: ProblemType) -> None:
    problem = problem_for(error)
    assert problem is not None
    assert problem.kind == kind
    assert problem.kind.status == 503
    assert int(problem.headers["Retry-After"]) >= 1
    assert "10.0.0.1" not in problem.detail


def test_a_passed_deadline_is_a_504() -> None:
    problem = problem_for(GatherTimeout((1, 2)))
    assert problem is not None
    assert problem.kind == TIMED_OUT


def test_the_nearest_class_in_the_ancestry_wins() -> None:
    class Base(Exception):
        pass

    class Derived(Base):
        pass

    table = {Base: TIMED_OUT, Derived: DATABASE_BUSY, Exception: VALIDATION_FAILED}
    found = problem_for(Derived("text"), table)
    assert found is not None
    assert (found.kind, found.detail) == (DATABASE_BUSY, "text")


def test_an_error_the_table_does_not_know_is_no_problem() -> None:
    assert problem_for(ZeroDivisionError("secret")) is None
    assert "secret" not in title_of(ZeroDivisionError("secret"))


def test_another_http_error_keeps_its_status_and_its_name() -> None:
    problem = problem_for(ImATeapot())
    assert problem is not None
    assert (problem.kind.status, problem.kind.title) == (418, "I'm a teapot")


def test_slugs_are_unique_and_fit_a_url() -> None:
    slugs = [kind.slug for kind in PROBLEM_TYPES]
    assert len(set(slugs)) == len(slugs)
    assert all(slug.replace("-", "").isalnum() and slug.islower() for slug in slugs)


def test_every_kind_in_the_table_is_among_the_documented_ones() -> None:
    rows = [row for row in TABLE.values() if isinstance(row, ProblemType)]
    assert set(rows) <= set(PROBLEM_TYPES)

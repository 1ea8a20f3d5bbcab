"""Ejection and readmission as pure transitions; retries and their budget."""

from lb.backend.health import (
    Health,
    HealthPolicy,
    after_answer,
    after_check,
    after_connection_failure,
    state_of,
)
from lb.retry import RetryBudget, RetryPolicy

POLICY = HealthPolicy(rise=2, fall=3, failures=2)
TRUSTED = Health(trusted=True, seen=True, reason="")


def test_a_new_backend_is_trusted_after_its_first_passed_check() -> None:
    health = after_check(Health(), "refused", POLICY)
    assert state_of("ready", health) == "ejected"
    assert state_of("ready", after_check(health, None, POLICY)) == "ready"


def test_checks_must_fail_in_a_row_to_eject() -> None:
    health = TRUSTED
    for failure in ("a", "b", None, "c", "d"):
        health = after_check(health, failure, POLICY)
        assert health.trusted
    health = after_check(health, "e", POLICY)
    assert (health.trusted, health.reason) == (False, "e")


def test_checks_must_pass_in_a_row_to_readmit() -> None:
    health = Health(trusted=False, seen=True)
    for failure in (None, "a", None):
        health = after_check(health, failure, POLICY)
        assert not health.trusted
    assert after_check(health, None, POLICY).trusted


def test_connection_failures_in_a_row_eject_and_an_answer_between_them_does_not() -> None:
    once = after_connection_failure(TRUSTED, "refused", POLICY)
    assert once.trusted
    assert after_connection_failure(after_answer(once), "refused", POLICY).trusted
    # a passed check says nothing about the requests' connections
    twice = after_connection_failure(after_check(once, None, POLICY), "refused", POLICY)
    assert (twice.trusted, twice.reason) == (False, "refused")


def test_the_operators_will_goes_before_health() -> None:
    assert state_of("maintenance", TRUSTED) == "maintenance"
    assert state_of("drain", TRUSTED) == "draining"


def test_only_what_may_be_repeated_is_sent_again() -> None:
    policy = RetryPolicy(2, frozenset([b"/v1/query"]))

    def allows(method: bytes, target: bytes, *, replayable: bool = True, retries: int = 0) -> bool:
        return policy.allows(
            "closed", method=method, target=target, replayable=replayable, retries=retries
        )

    assert allows(b"GET", b"/x")
    assert allows(b"POST", b"/v1/query?a=1")
    assert not allows(b"POST", b"/v1/jobs")
    assert not allows(b"PATCH", b"/v1/query")
    assert not allows(b"GET", b"/x", replayable=False)
    assert not allows(b"GET", b"/x", retries=2)
    assert policy.allows("connect", method=b"POST", target=b"/x", replayable=False, retries=1)
    assert not policy.allows("connect", method=b"POST", target=b"/x", replayable=False, retries=2)


def test_retries_beyond_the_budget_wait_for_their_turn() -> None:
    budget = RetryBudget(ratio=0.2, minimum=2)
    begun: list[int] = []

    def begin(number: int, *, lives: bool = True) -> bool:
        begun.append(number)
        return lives

    for number in range(4):
        budget.enter(10, lambda number=number: begin(number, lives=number != 2))  # type: ignore[misc]
    assert begun == [0, 1]
    budget.leave(10)
    assert begun == [0, 1, 2, 3]  # the third had ended while it waited
    assert budget.retrying == 2
    budget.enter(100, lambda: begin(4))
    assert begun[-1] == 4

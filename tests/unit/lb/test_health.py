"""Ejection and readmission as pure transitions; retries and their budget."""

from lb.backend.health import (
    Health,
    HealthPolicy,
    after_answer,
    after_check,
    after_connection_failure,
    after_farewell,
    state_of,
)
from lb.retry import RetryBudget, RetryPolicy

POLICY = HealthPolicy(rise=2, fall=3, failures=2, eject_s=1.0, eject_max_s=5.0)
TRUSTED = Health(trusted=True, seen=True, reason="")


def test_a_new_backend_is_trusted_after_its_first_passed_check() -> None:
    health = after_check(Health(), "refused", POLICY, 0.0)
    assert state_of("ready", health) == "ejected"
    assert state_of("ready", after_check(health, None, POLICY, 0.0)) == "ready"


def test_checks_must_fail_in_a_row_to_eject() -> None:
    health = TRUSTED
    for failure in ("a", "b", None, "c", "d"):
        health = after_check(health, failure, POLICY, 0.0)
        assert health.trusted
    health = after_check(health, "e", POLICY, 0.0)
    assert (health.trusted, health.reason) == (False, "e")


def test_checks_must_pass_in_a_row_to_readmit() -> None:
    health = Health(trusted=False, seen=True)
    for failure in (None, "a", None):
        health = after_check(health, failure, POLICY, 0.0)
        assert not health.trusted
    assert after_check(health, None, POLICY, 0.0).trusted


def test_connection_failures_in_a_row_eject_and_an_answer_between_them_does_not() -> None:
    once = after_connection_failure(TRUSTED, "refused", POLICY, 0.0)
    assert once.trusted
    assert after_connection_failure(after_answer(once), "refused", POLICY, 0.0).trusted
    # a passed check says nothing about the requests' connections
    twice = after_connection_failure(after_check(once, None, POLICY, 0.0), "refused", POLICY, 0.0)
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


def _ejected(health: Health, now: float) -> Health:
    for _ in range(POLICY.failures):
        health = after_connection_failure(health, "refused", POLICY, now)
    assert not health.trusted
    return health


def _readmitted_at(health: Health, now: float) -> float:
    """Return when checks that pass every quarter of a second readmit."""
    while not health.trusted:
        now += 0.25
        health = after_check(health, None, POLICY, now)
    return now


def test_an_ejection_for_failed_connections_lasts_twice_as_long_each_time() -> None:
    health, now, lasted = TRUSTED, 100.0, []
    for _ in range(5):
        health = _ejected(health, now)
        end = _readmitted_at(health, now)
        lasted.append(end - now)
        health = after_check(after_check(health, None, POLICY, end), None, POLICY, end)
        now = end
    assert lasted == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_an_ejection_that_checks_have_seen_the_cause_of_lasts_until_they_pass() -> None:
    health, now = TRUSTED, 100.0
    for _ in range(5):  # killed again and again, and each time started anew
        health = after_check(_ejected(health, now), "refused", POLICY, now + 0.25)
        end = _readmitted_at(health, now + 0.25)
        assert end - now == 0.75  # two checks that pass
        now = end


def test_one_that_has_served_long_enough_is_ejected_as_if_for_the_first_time() -> None:
    health = _ejected(TRUSTED, 100.0)
    for _ in range(2):
        health = after_check(health, None, POLICY, 102.0)
    assert health.trusted
    assert _ejected(health, 110.0).eject_s == POLICY.eject_s


def test_only_checks_readmit() -> None:
    health = _ejected(TRUSTED, 100.0)
    assert not after_answer(health).trusted
    assert not after_check(health, None, POLICY, 200.0).trusted  # one of two


def test_one_that_says_it_is_being_stopped_drains_at_once_until_a_check_passes() -> None:
    leaving = after_farewell(TRUSTED, "503")
    gone = after_check(leaving, "refused", POLICY, 0.0)
    assert state_of("ready", leaving) == state_of("ready", gone) == "draining"
    assert state_of("maintenance", gone) == "maintenance"
    back = after_check(gone, None, POLICY, 0.0)
    assert state_of("ready", back) == "draining"  # so many must pass as after an ejection
    assert state_of("ready", after_check(back, None, POLICY, 0.0)) == "ready"

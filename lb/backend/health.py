"""Whether a backend is trusted with requests: pure transitions."""

from dataclasses import dataclass, replace
from typing import Literal

# what the operator wants: requests; only the held ones finished; nothing, not even checks
Mode = Literal["ready", "drain", "maintenance"]
State = Literal["ready", "draining", "maintenance", "ejected"]


@dataclass(frozen=True)
class HealthPolicy:
    """`rise` passed checks in a row readmit, `fall` failed ones eject.

    So do `failures` connections in a row that could not be made or gave no answer; for `eject_s`
    at least, and twice as long each time that it happens again, up to `eject_max_s`; but where a
    check fails as well, checks see what is wrong, and it is over when they pass.
    """

    rise: int
    fall: int
    failures: int
    eject_s: float
    eject_max_s: float


@dataclass(frozen=True)
class Health:
    """What is known of a backend.  `reason` says why it is not trusted.

    A new one is not trusted before its first passed check; `seen`: it has passed one.
    `draining`: it said itself that it is being stopped, and has passed no check since.
    `eject_s`: how long the latest ejection for failed connections lasts at least, `until` when.
    """

    trusted: bool = False
    passed: int = 0
    failed: int = 0
    connection_failures: int = 0
    seen: bool = False
    reason: str = "not checked yet"
    eject_s: float = 0.0
    until: float = 0.0
    draining: bool = False


def after_check(health: Health, failure: str | None, policy: HealthPolicy, now: float) -> Health:
    """Return the health after a check; `failure` says why it did not pass, None that it did."""
    if failure is None:
        passed = health.passed + 1
        if health.trusted:
            # While requests get through, checks do not clear their count of failures.
            return replace(health, passed=passed, failed=0)
        if not health.seen or (passed >= policy.rise and now >= health.until):
            return replace(
                health, trusted=True, passed=passed, failed=0, connection_failures=0, seen=True,
                reason="", draining=False,
            )  # fmt: skip
        return replace(health, passed=passed, failed=0)
    failed = health.failed + 1
    if health.trusted and failed < policy.fall:
        return replace(health, passed=0, failed=failed)
    return replace(
        health, trusted=False, passed=0, failed=failed, reason=failure, eject_s=0.0, until=0.0
    )


def after_farewell(health: Health, reason: str) -> Health:
    """Return the health of a backend that says it is being stopped: once is enough."""
    return replace(health, trusted=False, passed=0, reason=reason, draining=True)


def after_connection_failure(
    health: Health, reason: str, policy: HealthPolicy, now: float
) -> Health:
    """Return the health after a request's connection failed for `reason`."""
    failures = health.connection_failures + 1
    if not health.trusted or failures < policy.failures:
        return replace(health, connection_failures=failures)
    # One that has served well for as long as the longest ejection begins anew.
    again = now - health.until < policy.eject_max_s
    eject_s = min(2 * health.eject_s if again else 0.0, policy.eject_max_s) or policy.eject_s
    return replace(
        health, trusted=False, passed=0, connection_failures=failures, reason=reason,
        eject_s=eject_s, until=now + eject_s,
    )  # fmt: skip


def after_answer(health: Health) -> Health:
    """Return the health after a request was answered."""
    return replace(health, connection_failures=0)


def state_of(mode: Mode, health: Health) -> State:
    """Return the one word for a backend's condition: the operator's will goes first."""
    if mode == "maintenance":
        return "maintenance"
    if mode == "drain" or health.draining:
        return "draining"
    return "ready" if health.trusted else "ejected"

"""Whether this process should be sent requests; known beforehand, so that asking is free."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ready", "degraded", "starting", "unavailable", "draining"]


@dataclass(frozen=True)
class Check:
    """Something the replica needs: `probe` returns when it is there, and raises when not.

    Without an `essential` one no query can be answered; without another one they still can.
    """

    name: str
    essential: bool
    probe: Callable[[], None]


@dataclass(frozen=True)
class Finding:
    """What a check found last.  `problem` is None when all was well; `at` is by the clock.

    `reason`: the error's own words, which are the log's business.
    """

    at: float
    problem: str | None
    reason: str


@dataclass(frozen=True)
class CheckState:
    """A check as of now: `problem` says what is wrong, or is None; `age_s` of its last run."""

    ok: bool
    problem: str | None
    age_s: float | None


class Readiness:
    """Runs each check in a thread of its own, every `interval_s`, and knows the state.

    In the background for three reasons: asking costs nothing and cannot hang; a hanging check
    holds up no other one; and an open breaker gets its trial call even when the balancer sends
    nothing here any more, so the replica comes back by itself.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        interval_s: float = 1.0,
        stale_s: float = 10.0,
        describe: Callable[[Exception], str] = lambda error: type(error).__name__,
        on_finding: Callable[[str, bool], None] = lambda _name, _ok: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = tuple(checks)
        self._interval_s = interval_s
        self._stale_s = stale_s
        self._describe = describe
        self._on_finding = on_finding
        self._clock = clock
        self._findings: dict[str, Finding] = {}
        self._is_draining: Callable[[], bool] = lambda: False
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start checking."""
        for check in self._checks:
            thread = threading.Thread(
                target=self._run, args=(check,), name=f"check-{check.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self, *, wait_s: float = 1.0) -> None:
        """Stop checking; waits for a check that runs, though not for one that hangs."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(wait_s)

    def watch_drain(self, is_draining: Callable[[], bool]) -> None:
        """Take the server's word for whether this process is being stopped."""
        self._is_draining = is_draining

    @property
    def is_draining(self) -> bool:
        """Whether this process is being stopped."""
        return self._is_draining()

    def check(self, check: Check) -> None:
        """Run one check now and remember what it found."""
        try:
            check.probe()
        except Exception as error:  # noqa: BLE001 - whatever it is, the check has failed
            problem: str | None = self._describe(error)
            reason = str(error)
        else:
            problem, reason = None, ""
        self._findings[check.name] = Finding(self._clock(), problem, reason)
        self._on_finding(check.name, problem is None)

    def checks(self) -> Mapping[str, CheckState]:
        """Return the state of each check, by name."""
        return {check.name: self._state_of(check) for check in self._checks}

    def problem(self, name: str) -> str | None:
        """Return what the check of that name found wrong; None when it found nothing wrong."""
        return self.checks()[name].problem

    def reason(self, name: str) -> str:
        """Return why the check of that name failed last, in words for the log; or nothing."""
        finding = self._findings.get(name)
        return "" if finding is None else finding.reason

    def state(self) -> State:
        """Return what to tell the balancer: requests are welcome when ready or degraded."""
        if self.is_draining:
            return "draining"
        states = {check: self._state_of(check) for check in self._checks}
        essential = [state for check, state in states.items() if check.essential]
        if any(state.age_s is None for state in essential):
            return "starting"
        if not all(state.ok for state in essential):
            return "unavailable"
        return "ready" if all(state.ok for state in states.values()) else "degraded"

    def _state_of(self, check: Check) -> CheckState:
        finding = self._findings.get(check.name)
        if finding is None:
            return CheckState(ok=False, problem="not checked yet", age_s=None)
        age_s = self._clock() - finding.at
        problem = finding.problem
        if problem is None and age_s > self._stale_s:
            problem = "the check hangs"
        return CheckState(ok=problem is None, problem=problem, age_s=age_s)

    def _run(self, check: Check) -> None:
        while not self._stopped.is_set():
            self.check(check)
            self._stopped.wait(self._interval_s)

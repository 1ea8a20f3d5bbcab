"""One round after the other: look, decide, make it so, tell."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from scaler.decision import Decision, Fleet, Memory, blind, decide
from scaler.demand import DemandMeter, Sample
from scaler.driver import Driver, DriverFailed
from scaler.metrics import ScalerMetrics
from scaler.policy import Policy
from tasks.errors import QueueError
from tasks.events import OnEvent
from tasks.outage import Outage
from tasks.scaling import ScalerSeat, ScalingRecord

Role: TypeAlias = Literal["starting", "active", "standby"]
LOOP = "scaler"


@dataclass
class _Said:
    """What has been told already, so that each change is told once."""

    role: Role = "starting"
    advice: int | None = None
    failing: bool = False
    not_joined: bool = False


class Scaler:
    """Decides how many workers there are; `round` is called every few seconds, by one thread.

    Who stands by looks and reckons, too, so that it can take over with a full window.
    """

    def __init__(
        self,
        seat: ScalerSeat,
        read: Callable[[], Sample],
        driver: Driver,
        policy: Policy,
        meter: DemandMeter,
        metrics: ScalerMetrics,
        emit: OnEvent,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`read` raises QueueUnavailable; `clock` gives seconds since 1970."""
        self._seat = seat
        self._read = read
        self._driver = driver
        self._policy = policy
        self._meter = meter
        self._metrics = metrics
        self._emit = emit
        self._monotonic = monotonic
        self._clock = clock
        self._memory = Memory()
        self._outage = Outage(monotonic, on_event=emit)
        self._failures = 0
        self._said = _Said()
        self._changed_at: float | None = None
        self._last: Decision | None = None

    def health(self) -> Mapping[str, Any]:
        """Return what `/health` tells: the role, the driver, and what was decided last."""
        last = self._last
        return {
            "status": self._said.role,
            "driver": self._driver.name,
            "decision": None if last is None else {
                "direction": last.direction, "reason": last.reason, "wanted": last.wanted,
                "cause": last.cause,
            },
        }  # fmt: skip

    def round(self) -> None:
        """Look, decide, and make it so if this scaler has the seat.  Never raises QueueError."""
        try:
            self._take_seat()
            sample = self._read()
        except QueueError as error:
            self._be_blind(error)
            return
        self._failures = 0
        self._outage.over(LOOP)
        demands = self._meter.measure(sample)
        fleet = self._fleet(sample)
        if fleet is None:
            return
        decision, self._memory = decide(
            self._policy, self._memory, self._monotonic(), demands, fleet
        )
        self._last = decision
        self._metrics.decided(decision, fleet)
        if self._seat.is_held():
            self._tell_of_absent(decision)
            fleet = self._make_it_so(decision, fleet)
            self._publish(decision, fleet)

    def leave(self) -> None:
        """Give the seat to who stands by.  Raises QueueUnavailable."""
        self._seat.leave()

    def _take_seat(self) -> None:
        role: Role = "active" if self._seat.take() else "standby"
        if role != self._said.role:
            self._said.role = role
            self._said.advice = None
            if role == "active":
                self._emit("scaler_active", "no other scaler decides", driver=self._driver.name)
            else:
                self._emit("scaler_standby", "another scaler decides", driver=self._driver.name)
        self._metrics.is_active(role == "active")

    def _be_blind(self, error: QueueError) -> None:
        """Hold: nothing is known of what there is to do."""
        self._outage.failed(LOOP, error, self._failures)
        self._failures += 1
        self._meter.forget()
        self._hold_blindly("redis_away", str(error))
        if not self._seat.is_held():
            self._metrics.is_active(False)

    def _hold_blindly(self, reason: Literal["redis_away", "driver_failed"], cause: str) -> None:
        self._memory = blind(self._memory)
        wanted = 0 if self._last is None else self._last.wanted
        self._last = Decision("hold", reason, wanted, wanted, cause)
        self._metrics.held_blindly(self._last)

    def _fleet(self, sample: Sample) -> Fleet | None:
        """Return what there is; None if the driver does not know, which is told."""
        try:
            crew = self._driver.crew()
        except DriverFailed as error:
            self._fail(str(error))
            self._hold_blindly("driver_failed", str(error))
            if self._seat.is_held() and self._last is not None:
                self._publish(self._last, Fleet(sample.taking, sample.taking))
            return None
        if crew is None:
            return Fleet(sample.taking, sample.taking)
        return Fleet(crew.running, sample.taking, crew.leaving)

    def _make_it_so(self, decision: Decision, fleet: Fleet) -> Fleet:
        """Add workers or let them leave; return what there is then."""
        if not self._driver.acts:
            self._advise(decision, fleet)
            return fleet
        if decision.direction == "hold":
            self._mend()
            return fleet
        grows = decision.direction == "up"
        change = self._driver.grow if grows else self._driver.shrink
        names: list[str] = []
        failure: DriverFailed | None = None
        try:
            for name in change(decision.target, self._seat.is_held):
                names.append(name)  # noqa: PERF402 - what was done before a failure was done
        except DriverFailed as error:
            failure = error
        if names:
            self._changed_at = self._clock()
            after = fleet.running + (len(names) if grows else -len(names))
            self._emit(
                "workers_added" if grows else "workers_leaving",
                decision.cause,
                workers=names, reason=decision.reason, before=fleet.running, after=after,
                wanted=decision.wanted,
            )  # fmt: skip
            leaving = fleet.leaving + (0 if grows else len(names))
            fleet = replace(fleet, running=after, leaving=leaving)
        if failure is None:
            self._mend()
        else:
            self._fail(str(failure))
        return fleet

    def _advise(self, decision: Decision, fleet: Fleet) -> None:
        advice = None if decision.direction == "hold" else decision.wanted
        if advice is not None and advice != self._said.advice:
            self._changed_at = self._clock()
            self._emit(
                "scaling_advised", decision.cause,
                running=fleet.running, wanted=advice, reason=decision.reason,
            )  # fmt: skip
        self._said.advice = advice

    def _fail(self, cause: str) -> None:
        self._metrics.failed()
        if not self._said.failing:
            self._said.failing = True
            self._emit("scaling_failed", cause, driver=self._driver.name)

    def _mend(self) -> None:
        if self._said.failing:
            self._said.failing = False
            self._emit("scaling_mended", "the driver works again", driver=self._driver.name)

    def _tell_of_absent(self, decision: Decision) -> None:
        absent = decision.reason == "not_joined"
        if absent and not self._said.not_joined:
            self._emit("workers_not_joined", decision.cause, wanted=decision.wanted)
        self._said.not_joined = absent

    def _publish(self, decision: Decision, fleet: Fleet) -> None:
        record = ScalingRecord(
            driver=self._driver.name,
            wanted=decision.wanted,
            running=fleet.running,
            minimum=self._policy.minimum,
            maximum=self._policy.maximum,
            reason=f"{decision.reason}: {decision.cause}",
            changed_at=self._changed_at,
        )
        try:
            self._seat.tell(record)
        except QueueError as error:
            self._be_blind(error)

"""Rounds of a scaler: what it does, what it leaves, and what it tells of either."""

from collections.abc import Callable, Iterator

import pytest
import redis
from prometheus_client import CollectorRegistry

from scaler.demand import DemandMeter, LaneSample, Sample
from scaler.driver import Advise, Crew, Driver, DriverFailed
from scaler.metrics import ScalerMetrics
from scaler.scaler import Scaler
from tasks.errors import QueueUnavailable
from tasks.heartbeat import LaneLoad, WorkerRecord
from tasks.lanes import QUERY, LaneStatus
from tasks.scaling import ScalerSeat, Scaling, scaling
from tests.unit.scaler.fluid_queue import POLICY
from tests.unit.tasks.test_service_times import Clock

LEASE_S = 60.0


class Machine:
    """A driver whose workers are numbers; `failure`: what it fails with, `away`: it is blind."""

    name = "docker"
    acts = True

    def __init__(self, running: int) -> None:
        self.running = running
        self.failure: str | None = None
        self.away = False
        self.after: Callable[[], None] = lambda: None

    def crew(self) -> Crew:
        if self.away:
            raise DriverFailed("no engine")
        return Crew(self.running, 0)

    def grow(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        while self.running < target and allowed():
            if self.failure:
                raise DriverFailed(self.failure)
            self.running += 1
            self.after()
            yield f"worker-{self.running}"

    def shrink(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        while self.running > target and allowed():
            self.running -= 1
            yield f"worker-{self.running + 1}"


class World:
    """A scaler with all around it; `load` slots of each worker's time are worked."""

    def __init__(self, client: redis.Redis, driver: Driver, name: str = "one") -> None:
        self.clock = Clock()
        self.client = client
        self.workers = 2
        self.load = 0.0
        self.redis_is_away = False
        self.events: list[tuple[str, dict[str, object]]] = []
        self.registry = CollectorRegistry()
        self.scaler = Scaler(
            ScalerSeat(client, name, LEASE_S, self.clock),
            self.read,
            driver,
            POLICY,
            DemandMeter(15.0),
            ScalerMetrics(self.registry, POLICY, self.clock),
            self.note,
            monotonic=self.clock,
            clock=lambda: 1000.0 + self.clock.now,
        )

    def note(self, name: str, cause: str, /, **facts: object) -> None:
        self.events.append((name, facts | {"cause": cause}))

    def told(self) -> list[str]:
        return [name for name, _ in self.events]

    def read(self) -> Sample:
        if self.redis_is_away:
            raise QueueUnavailable("it is away")
        workers = tuple(
            WorkerRecord(
                f"w{number}", "h", 1, 2, 0, 0.0, 0, 0.0, False, ("query",),
                {"query": LaneLoad(2, 1.0)}, {"query": self.load * 100.0 / self.workers}, 100.0,
            )
            for number in range(self.workers)
        )  # fmt: skip
        lanes = (LaneSample(QUERY, LaneStatus("query", 0, 0)),)
        return Sample(self.clock.now, workers, lanes)

    def rounds(self, number: int) -> None:
        for _ in range(number):
            self.clock.now += 5.0
            self.scaler.round()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"millrace_scaler_{name}", labels)

    def published(self) -> Scaling:
        found = scaling(self.client)
        assert found is not None
        return found


@pytest.fixture
def machine() -> Machine:
    return Machine(2)


@pytest.fixture
def world(client: redis.Redis, machine: Machine) -> World:
    return World(client, machine)


def test_what_is_decided_is_done_told_published_and_counted(world: World, machine: Machine) -> None:
    world.load = 7.0
    world.rounds(1)
    assert machine.running == 5
    assert world.told() == ["scaler_active", "workers_added"]
    facts = world.events[-1][1]
    assert facts["workers"] == ["worker-3", "worker-4", "worker-5"]
    assert (facts["before"], facts["after"], facts["wanted"]) == (2, 5, 5)
    assert "7.00 slots busy" in str(facts["cause"])
    found = world.published()
    assert (found.state, found.record.wanted, found.record.running) == ("active", 5, 5)
    assert (found.record.minimum, found.record.maximum) == (1, 20)
    assert found.record.changed_at == 1005.0
    assert found.record.reason.startswith("load: ")
    assert world.metric("decisions_total", direction="up", reason="load") == 1
    assert (world.metric("workers_wanted"), world.metric("workers_running")) == (5, 2)
    assert world.metric("active") == 1


def test_workers_leave_one_by_one_when_they_were_not_needed_for_long(
    world: World, machine: Machine
) -> None:
    machine.running = world.workers = 4
    world.rounds(14)
    assert machine.running == 2
    leaving = [facts["workers"] for name, facts in world.events if name == "workers_leaving"]
    assert leaving == [["worker-4"], ["worker-3"]]


def test_who_only_advises_changes_nothing_and_says_each_thing_once(client: redis.Redis) -> None:
    world = World(client, Advise())
    world.load = 7.0
    world.rounds(3)
    assert world.told() == ["scaler_active", "scaling_advised"]
    assert world.events[-1][1]["wanted"] == 5
    assert world.published().record.driver == "advise"
    world.load = 14.0
    world.rounds(1)
    assert world.told().count("scaling_advised") == 2


def test_while_redis_is_away_it_holds_and_says_so_once(world: World, machine: Machine) -> None:
    machine.running = 10
    world.rounds(1)
    world.redis_is_away = True
    world.rounds(20)
    assert machine.running == 10
    assert world.told() == ["scaler_active", "redis_outage_began"]
    assert world.scaler.health()["decision"]["reason"] == "redis_away"
    assert world.metric("decisions_total", direction="hold", reason="redis_away") == 20
    assert world.metric("decision_age_seconds") == 100.0
    world.redis_is_away = False
    world.rounds(1)
    assert world.told()[-1] == "redis_outage_ended"
    assert machine.running == 10  # nothing was seen for long enough to go down


def test_who_stands_by_does_nothing_and_takes_over_with_a_full_window(
    client: redis.Redis, world: World, machine: Machine
) -> None:
    other_machine = Machine(4)
    other = World(client, other_machine, "two")
    other.workers = 4
    world.rounds(1)
    other.rounds(14)
    assert other_machine.running == 4
    assert other.told() == ["scaler_standby"]
    assert (other.metric("active"), other.metric("workers_wanted")) == (0, 1)
    assert other.scaler.health()["status"] == "standby"
    world.scaler.leave()
    other.rounds(1)
    assert other.told() == ["scaler_standby", "scaler_active", "workers_leaving"]


def test_of_two_that_advise_one_is_heard(client: redis.Redis) -> None:
    first, second = World(client, Advise()), World(client, Advise(), "two")
    first.load = second.load = 7.0
    for one in (first, second):
        one.rounds(2)
    assert first.told() == ["scaler_active", "scaling_advised"]
    assert second.told() == ["scaler_standby"]


def test_who_loses_the_seat_while_it_acts_stops_at_once(world: World, machine: Machine) -> None:
    def hang() -> None:
        world.clock.now += LEASE_S

    machine.after = hang
    world.load = 7.0
    world.rounds(1)
    assert machine.running == 3


def test_what_cannot_be_made_so_is_told_once_and_counted_each_time(
    world: World, machine: Machine
) -> None:
    machine.failure = "no space left"
    world.load = 7.0
    world.rounds(3)
    assert world.told() == ["scaler_active", "scaling_failed"]
    assert world.events[-1][1]["cause"] == "no space left"
    assert world.metric("driver_failures_total") == 3
    machine.failure = None
    world.rounds(1)
    assert world.told()[-2:] == ["workers_added", "scaling_mended"]


def test_a_failure_halfway_tells_of_what_was_done(world: World, machine: Machine) -> None:
    def fail() -> None:
        machine.failure = "no space left"

    machine.after = fail
    world.load = 7.0
    world.rounds(1)
    assert world.told() == ["scaler_active", "workers_added", "scaling_failed"]
    assert world.events[1][1]["workers"] == ["worker-3"]


def test_without_its_engine_it_holds_and_says_why(world: World, machine: Machine) -> None:
    machine.away = True
    world.load = 7.0
    world.rounds(2)
    assert world.told() == ["scaler_active", "scaling_failed"]
    assert world.published().record.reason == "driver_failed: no engine"
    assert world.metric("decisions_total", direction="hold", reason="driver_failed") == 2


def test_workers_that_never_join_are_told_of_once(world: World, machine: Machine) -> None:
    world.load = 14.0
    world.rounds(20)
    assert machine.running == 6
    assert world.told() == ["scaler_active", "workers_added", "workers_not_joined"]
    assert world.metric("workers_not_joined") == 4
    world.workers = 6
    world.rounds(1)
    assert machine.running == 10
    assert world.metric("workers_not_joined") == 0

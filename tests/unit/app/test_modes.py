"""Modes: from what is known to what is on, since when, and what is told of it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from app.mode_watch import ModeMetrics, ModeWatch
from app.modes import MEANINGS, MODES, Facts, causes

WELL = Facts(pool_max=10, pool_in_use=3, takers=2)


@pytest.mark.parametrize(
    ("facts", "modes"),
    [
        (WELL, []),
        (Facts(), []),  # before the first check nothing is known to be wrong
        (replace(WELL, database_problem="away"), ["no_database"]),
        (replace(WELL, breaker="open"), ["no_database"]),
        (replace(WELL, breaker="half_open"), []),
        (replace(WELL, breaker="open", commanded="open"), ["breaker_held_open"]),
        (replace(WELL, commanded="closed"), ["breaker_held_closed"]),
        (replace(WELL, own_breaker="open"), ["no_ledger"]),
        (replace(WELL, own_problem="away"), ["no_ledger"]),
        (replace(WELL, own_problem="away", database_problem="away"), ["no_database"]),
        (replace(WELL, read_only=True), ["read_only_database"]),
        (replace(WELL, pool_in_use=10), []),
        (replace(WELL, pool_in_use=9, pool_waiting=1), []),  # a connection is being opened
        (replace(WELL, pool_in_use=10, pool_waiting=1), ["database_busy"]),
        (replace(WELL, redis_problem="away"), ["no_redis"]),
        (replace(WELL, redis_problem="away", takers=0), ["no_redis"]),
        (replace(WELL, takers=0), ["no_workers"]),
        (replace(WELL, takers=None), []),
        (replace(WELL, has_cache=False), ["no_cache"]),
        (replace(WELL, overloaded="90 requests wait"), ["overloaded"]),
        (replace(WELL, draining=True), ["draining"]),
        (
            replace(WELL, draining=True, redis_problem="away", database_problem="away"),
            ["no_database", "no_redis", "draining"],
        ),
    ],
)
def test_each_trouble_is_a_mode_of_its_own(facts: Facts, modes: list[str]) -> None:
    found = causes(facts)
    assert list(found) == modes
    assert all(found.values())


def test_every_mode_says_what_it_means() -> None:
    assert set(MEANINGS) == set(MODES)


@dataclass
class World:
    """Facts that change, a clock that stands, and a watch over them."""

    facts: Facts = WELL
    seconds: float = 100.0
    told: list[tuple[str, str, object]] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.watch = ModeWatch(
            lambda: self.facts,
            self.emit,
            ModeMetrics(self.registry),
            hold_s=5.0,
            monotonic=lambda: self.seconds,
            now=lambda: datetime.fromtimestamp(self.seconds, UTC),
        )

    def emit(self, name: str, cause: str, /, **facts: object) -> None:
        self.told.append((name, cause, facts["mode"]))

    def names(self) -> list[str]:
        return [mode.name for mode in self.watch.look()]

    def sample(self, name: str, mode: str) -> float | None:
        return self.registry.get_sample_value(name, {"mode": mode})


def test_a_mode_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    world = World()
    for facts in (WELL, replace(WELL, redis_problem="away"), WELL):
        world.facts = facts
        for _ in range(3):
            world.watch.look()
    assert world.told == [("mode_on", "away", "no_redis"), ("mode_off", "was: away", "no_redis")]


def test_it_is_known_since_when_a_mode_is_on() -> None:
    world = World(facts=replace(WELL, takers=0))
    world.watch.look()
    world.seconds += 60
    (mode,) = world.watch.look()
    assert mode.since == "1970-01-01T00:01:40.000Z"


def test_draining_is_an_event_of_its_own() -> None:
    world = World(facts=replace(WELL, draining=True))
    world.watch.look()
    assert [name for name, _, _ in world.told] == ["replica_draining"]


def test_a_mode_of_moments_is_over_only_when_it_was_not_seen_for_a_while() -> None:
    busy = replace(WELL, pool_in_use=10, pool_waiting=1)
    world = World()
    for number in range(20):
        world.facts = busy if number % 2 == 0 else WELL
        assert world.names() == ["database_busy"]
        world.seconds += 2
    assert len(world.told) == 1
    world.seconds += 5
    assert world.names() == []
    assert [name for name, _, _ in world.told] == ["mode_on", "mode_off"]


def test_the_time_in_a_mode_is_counted() -> None:
    world = World(facts=replace(WELL, takers=0))
    world.watch.look()
    assert world.sample("millrace_app_mode", "no_workers") == 1
    for _ in range(3):
        world.seconds += 2
        world.watch.look()
    world.facts = WELL
    world.seconds += 1
    world.watch.look()
    world.seconds += 10
    world.watch.look()
    assert world.sample("millrace_app_mode", "no_workers") == 0
    assert world.sample("millrace_app_mode_seconds_total", "no_workers") == 7
    assert world.sample("millrace_app_mode_seconds_total", "no_redis") == 0


FACTS = st.builds(
    Facts,
    draining=st.booleans(),
    database_problem=st.none() | st.just("away"),
    breaker=st.sampled_from(["closed", "open", "half_open"]),
    commanded=st.sampled_from(["auto", "open", "closed"]),
    own_breaker=st.sampled_from(["closed", "open", "half_open"]),
    own_problem=st.none() | st.just("away"),
    read_only=st.booleans(),
    pool_max=st.just(2),
    pool_in_use=st.integers(0, 2),
    pool_waiting=st.integers(0, 2),
    redis_problem=st.none() | st.just("away"),
    takers=st.none() | st.integers(0, 2),
    has_cache=st.booleans(),
    overloaded=st.none() | st.just("full"),
)


@given(st.lists(st.tuples(FACTS, st.floats(0, 10)), max_size=20))
def test_beginnings_and_ends_of_each_mode_take_turns(history: list[tuple[Facts, float]]) -> None:
    world = World()
    on: set[object] = set()
    for facts, seconds in history:
        world.facts = facts
        world.seconds += seconds
        world.told.clear()
        names = world.names()
        for name, _, mode in world.told:
            assert (mode in on) == (name == "mode_off")
            on ^= {mode}
        assert on == set(names)
        assert set(causes(facts)) <= on

"""Readiness: from findings and time to a state."""

import threading

from app.readiness import Check, Readiness, State

STEP_S = 1.0


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def read(self) -> float:
        """Return its time."""
        return self.now


class Source:
    """Something that can be checked, and be away."""

    def __init__(self) -> None:
        self.away = False

    def probe(self) -> None:
        """Fail while it is away."""
        if self.away:
            raise ConnectionRefusedError("host 10.0.0.1")


class Fixture:
    """A readiness with an essential and another check, run by hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.postgresql, self.redis = Source(), Source()
        self.found: list[tuple[str, bool]] = []
        self.checks = [
            Check("postgresql", essential=True, probe=self.postgresql.probe),
            Check("redis", essential=False, probe=self.redis.probe),
        ]
        self.readiness = Readiness(
            self.checks,
            stale_s=10.0,
            on_finding=lambda name, ok: self.found.append((name, ok)),
            clock=self.clock.read,
        )

    def state_after_checks(self) -> State:
        """Run each check once."""
        for check in self.checks:
            self.readiness.check(check)
        return self.readiness.state()


def test_before_the_first_check_it_is_starting() -> None:
    assert Fixture().readiness.state() == "starting"


def test_with_all_there_it_is_ready() -> None:
    assert Fixture().state_after_checks() == "ready"


def test_without_the_essential_it_is_unavailable_and_comes_back() -> None:
    fixture = Fixture()
    fixture.postgresql.away = True
    assert fixture.state_after_checks() == "unavailable"
    fixture.postgresql.away = False
    assert fixture.state_after_checks() == "ready"


def test_without_the_rest_it_is_degraded() -> None:
    fixture = Fixture()
    fixture.redis.away = True
    assert fixture.state_after_checks() == "degraded"


def test_a_check_that_hangs_counts_as_failed() -> None:
    fixture = Fixture()
    assert fixture.state_after_checks() == "ready"
    fixture.clock.now += 10.5
    fixture.readiness.check(fixture.checks[1])
    assert fixture.readiness.state() == "unavailable"
    assert fixture.readiness.problem("postgresql") == "the check hangs"


def test_draining_has_the_last_word() -> None:
    fixture = Fixture()
    draining = threading.Event()
    fixture.readiness.watch_drain(draining.is_set)
    assert fixture.state_after_checks() == "ready"
    draining.set()
    assert fixture.readiness.state() == "draining"


def test_a_problem_is_described_without_its_text() -> None:
    fixture = Fixture()
    fixture.postgresql.away = True
    fixture.state_after_checks()
    state = fixture.readiness.checks()["postgresql"]
    assert (state.ok, state.problem, state.age_s) == (False, "ConnectionRefusedError", 0.0)


def test_every_finding_is_told() -> None:
    fixture = Fixture()
    fixture.redis.away = True
    fixture.state_after_checks()
    assert fixture.found == [("postgresql", True), ("redis", False)]


def test_a_check_that_never_ends_holds_up_no_other_and_no_stop() -> None:
    release, ran = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait()

    checks = [
        Check("stuck", essential=True, probe=hang),
        Check("fine", essential=False, probe=ran.set),
    ]
    readiness = Readiness(checks, interval_s=0.01)
    readiness.start()
    try:
        assert ran.wait(10)
        assert readiness.state() == "starting"
    finally:
        readiness.stop(wait_s=0.01)
        release.set()
        readiness.stop(wait_s=10)

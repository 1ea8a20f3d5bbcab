"""The breaker alone: no server, no waiting, a clock that the test moves."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from db.breaker import Breaker, BreakerRules, BreakerState, Outcome
from db.errors import BreakerOpen


class Down(Exception):
    """The guarded server failed."""


class Wrong(Exception):
    """The guarded server works, and says that the caller was wrong."""


def judge(error: BaseException) -> Outcome:
    if isinstance(error, Down):
        return "failure"
    return "success" if isinstance(error, Wrong) else "unknown"


@dataclass
class World:
    """A breaker's surroundings: clock, chance, and what its listener heard."""

    now: float = 100.0
    chance: float = 0.0
    changes: list[tuple[BreakerState, BreakerState, str]] = field(default_factory=list)

    def breaker(self, **rules: Any) -> Breaker:
        """Return a closed breaker in this world."""
        return Breaker(
            judge, BreakerRules(failures=3, reset_s=1.0, reset_max_s=3.0, **rules),
            clock=lambda: self.now, chance=lambda: self.chance, listeners=[self.heard],
        )  # fmt: skip

    def heard(self, old: BreakerState, new: BreakerState, error: BaseException | None) -> None:
        """Be its listener."""
        self.changes.append((old, new, type(error).__name__))


def state_of(breaker: Breaker) -> str:
    return breaker.state  # as str: a type checker believes that a Literal once compared stays


def fail(breaker: Breaker, error: BaseException | None = None) -> None:
    error = error or Down()
    with pytest.raises(type(error)), breaker.guard():
        raise error


def open_breaker(world: World) -> Breaker:
    breaker = world.breaker()
    for _ in range(3):
        fail(breaker)
    assert state_of(breaker) == "open"
    return breaker


def test_failures_in_a_row_open_it_and_calls_are_then_refused_with_the_time_left() -> None:
    world = World()
    breaker = open_breaker(world)
    world.now += 0.25
    with pytest.raises(BreakerOpen) as refused, breaker.guard():
        pytest.fail("entered")
    assert refused.value.retry_after_s == pytest.approx(0.75)
    assert breaker.retry_after_s == pytest.approx(0.75)


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = World().breaker()
    for _ in range(3):
        fail(breaker)
        if state_of(breaker) == "closed":
            with breaker.guard():
                pass
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize("error", [Wrong(), ValueError(), KeyboardInterrupt(), StopIteration()])
def test_other_errors_never_open_it_and_leave_the_block_as_they_are(error: BaseException) -> None:
    breaker = World().breaker()
    for _ in range(10):
        with pytest.raises(type(error)) as raised, breaker.guard():
            raise error
        assert raised.value is error
    assert state_of(breaker) == "closed"


def test_errors_that_prove_nothing_do_not_interrupt_a_row_of_failures() -> None:
    breaker = World().breaker()
    for error in (Down(), ValueError(), Down(), ValueError(), Down()):
        fail(breaker, error)
    assert state_of(breaker) == "open"


def test_fifty_threads_at_a_recovering_server_make_one_trial_call() -> None:
    world = World()
    breaker = open_breaker(world)
    world.now += 1.0
    trials, refused = [], []
    everybody = threading.Barrier(50, timeout=30)
    all_but_one_refused = threading.Semaphore(0)

    def call(number: int) -> None:
        everybody.wait()
        try:
            with breaker.guard():
                trials.append(number)
                for _ in range(49):  # stays inside until everybody else has been answered
                    assert all_but_one_refused.acquire(timeout=30)
        except BreakerOpen:
            refused.append(number)
            all_but_one_refused.release()

    threads = [threading.Thread(target=call, args=[number]) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(trials), len(refused), state_of(breaker)) == (1, 49, "closed")


def test_guarded_blocks_run_side_by_side() -> None:
    breaker = World().breaker()
    inside = threading.Barrier(5, timeout=30)  # passed only when all five are inside at once
    errors: list[BaseException] = []

    def call() -> None:
        try:
            with breaker.guard():
                inside.wait()
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_failed_trials_keep_it_open_longer_each_time_up_to_the_limit() -> None:
    world = World()
    breaker = open_breaker(world)
    pauses = []
    for _ in range(4):
        pauses.append(breaker.retry_after_s)
        world.now += breaker.retry_after_s
        fail(breaker)
        assert state_of(breaker) == "open"
    assert pauses == pytest.approx([1.0, 2.0, 3.0, 3.0])


def test_a_good_trial_closes_it_and_the_next_outage_starts_with_the_short_pause() -> None:
    world = World()
    breaker = open_breaker(world)
    for _ in range(2):
        world.now += breaker.retry_after_s
        fail(breaker)
    world.now += breaker.retry_after_s
    with breaker.guard():
        assert state_of(breaker) == "half_open"
    for _ in range(3):
        assert state_of(breaker) == "closed"
        fail(breaker)
    assert breaker.retry_after_s == pytest.approx(1.0)


def test_chance_takes_up_to_half_of_the_pause_off() -> None:
    breaker = open_breaker(World(chance=1.0))
    assert breaker.retry_after_s == pytest.approx(0.5)


def test_a_trial_that_proves_nothing_leaves_the_trial_to_the_next_call() -> None:
    world = World()
    breaker = open_breaker(world)
    world.now += 1.0
    fail(breaker, ValueError())
    assert state_of(breaker) == "half_open"
    fail(breaker, Wrong())
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize("late", [None, Down()])
def test_what_began_before_it_opened_says_nothing_later(late: Down | None) -> None:
    world = World()
    breaker = world.breaker()
    slow = breaker.guard()
    slow.__enter__()
    for _ in range(3):
        fail(breaker)
    world.now += 1.0
    trial = breaker.guard()
    trial.__enter__()
    slow.__exit__(type(late) if late else None, late, None)
    assert state_of(breaker) == "half_open"
    with pytest.raises(BreakerOpen), breaker.guard():
        pytest.fail("a second trial")
    trial.__exit__(None, None, None)
    assert state_of(breaker) == "closed"


def test_listeners_hear_of_each_change_with_its_cause() -> None:
    world = World()
    breaker = open_breaker(world)
    world.now += 1.0
    fail(breaker)
    world.now += 2.0
    with breaker.guard():
        pass
    assert world.changes == [
        ("closed", "open", "Down"),
        ("open", "half_open", "NoneType"),
        ("half_open", "open", "Down"),
        ("open", "half_open", "NoneType"),
        ("half_open", "closed", "NoneType"),
    ]


def test_a_listener_may_ask_the_breaker() -> None:
    heard: list[tuple[BreakerState, float]] = []
    breakers: list[Breaker] = []

    def listen(old: BreakerState, new: BreakerState, error: BaseException | None) -> None:
        heard.append((breakers[0].state, breakers[0].retry_after_s))

    breakers.append(
        Breaker(judge, BreakerRules(failures=1), chance=lambda: 0.0, listeners=[listen])
    )
    fail(breakers[0])
    assert heard[0][0] == "open"


def test_a_generators_end_inside_the_block_is_not_swallowed() -> None:
    breaker = World().breaker()
    empty: Iterator[int] = iter(())
    reached = False
    with suppress(StopIteration), breaker.guard():
        next(empty)
        reached = True
    assert not reached


def call(breaker: Breaker, *, failing: bool) -> None:
    if failing:
        fail(breaker)
        return
    with breaker.guard():
        pass


def test_a_server_that_half_works_opens_it_though_no_row_of_failures_is_long() -> None:
    world = World()
    breaker = world.breaker(min_calls=10, failure_share=0.5)
    for number in range(10):
        assert state_of(breaker) == "closed"
        call(breaker, failing=number % 2 == 1)
    assert state_of(breaker) == "open"


def test_fewer_failures_than_the_share_never_open_it() -> None:
    breaker = World().breaker(min_calls=10, failure_share=0.5)
    for number in range(100):
        call(breaker, failing=number % 3 == 1)
    assert state_of(breaker) == "closed"


def test_what_is_older_than_the_window_is_forgotten() -> None:
    world = World()
    breaker = world.breaker(min_calls=4, failure_share=0.5, window_s=10.0)
    for failing in (False, True, True):
        call(breaker, failing=failing)
    world.now += 10.5
    call(breaker, failing=False)
    call(breaker, failing=True)
    assert state_of(breaker) == "closed"


def test_slow_round_trips_open_it_once_their_share_is_reached() -> None:
    world = World()
    breaker = world.breaker(min_calls=4, slow_s=1.0, slow_share=0.75)
    for seconds in (0.1, 1.5, 1.0, 2.0, 2.0, 2.0, 2.0):
        breaker.took(seconds)
        assert state_of(breaker) == "closed"
    breaker.took(2.0)
    assert state_of(breaker) == "open"
    assert world.changes == [("closed", "open", "TooSlow")]


def test_too_few_round_trips_say_nothing() -> None:
    breaker = World().breaker(min_calls=4, slow_share=0.1)
    for _ in range(3):
        breaker.took(60.0)
    assert state_of(breaker) == "closed"


def test_held_open_it_refuses_everybody_and_then_has_one_trial() -> None:
    world = World()
    breaker = world.breaker()
    breaker.command("open", 60.0)
    world.now += 45.0
    with pytest.raises(BreakerOpen, match="operator") as refused, breaker.guard():
        pytest.fail("entered")
    assert refused.value.retry_after_s == pytest.approx(15.0)
    world.now += 3600.0
    with pytest.raises(BreakerOpen), breaker.guard():
        pytest.fail("only the operator ends it")
    breaker.command("auto")
    assert state_of(breaker) == "open"
    with breaker.guard():
        assert state_of(breaker) == "half_open"
    assert state_of(breaker) == "closed"
    assert [change[:2] for change in world.changes] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]


def test_held_closed_it_lets_everybody_through_and_then_counts_anew() -> None:
    world = World()
    breaker = open_breaker(world)
    breaker.command("closed")
    for _ in range(50):
        fail(breaker)
        breaker.took(60.0)
    assert state_of(breaker) == "closed"
    breaker.command("auto")
    fail(breaker)
    fail(breaker)
    assert state_of(breaker) == "closed"
    fail(breaker)
    assert state_of(breaker) == "open"


def test_a_command_that_is_repeated_changes_nothing() -> None:
    world = World()
    breaker = world.breaker()
    for _ in range(3):
        breaker.command("open", 10.0)
    breaker.command("closed")
    breaker.command("closed")
    breaker.command("auto")
    assert world.changes == [("closed", "open", "ByCommand"), ("open", "closed", "ByCommand")]

"""How soon a process that died is started again."""

from lb.processes.backoff import Backoff


def test_after_a_long_life_it_is_at_once() -> None:
    assert Backoff().after_life(60.0) == 0.0


def test_short_lives_in_a_row_wait_longer_and_longer_up_to_a_limit() -> None:
    backoff = Backoff()
    delays = [backoff.after_life(0.5) for _ in range(30)]
    assert delays[:3] == [0.0, 0.0, 0.0]
    assert delays == sorted(delays)
    assert delays[-1] == 10.0


def test_one_that_never_began_waits_from_the_first_time_on() -> None:
    backoff = Backoff()
    assert [backoff.after_life(0.0) for _ in range(9)][:4] == [0.1, 0.2, 0.4, 0.8]


def test_one_that_is_killed_every_few_seconds_is_replaced_at_once_each_time() -> None:
    backoff = Backoff()
    assert [backoff.after_life(3.0) for _ in range(20)] == [0.0] * 20


def test_a_long_life_makes_up_for_the_short_ones_and_half_of_it_for_half_of_them() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.after_life(0.0)
    assert backoff.after_life(5.0) == 0.1 * 2**2.5
    backoff.after_life(10.0)
    assert backoff.after_life(0.5) == 0.0

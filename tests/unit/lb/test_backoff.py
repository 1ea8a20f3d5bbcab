"""How soon a process that died is started again."""

from lb.processes.backoff import Backoff


def test_after_a_long_life_it_is_at_once() -> None:
    assert Backoff().after_life(60.0) == 0.0


def test_short_lives_in_a_row_wait_longer_and_longer_up_to_a_limit() -> None:
    backoff = Backoff()
    delays = [backoff.after_life(0.5) for _ in range(9)]
    assert delays[:3] == [0.1, 0.2, 0.4]
    assert delays[-2:] == [10.0, 10.0]


def test_a_long_life_forgives_the_short_ones() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_life(0.5)
    backoff.after_life(60.0)
    assert backoff.after_life(0.5) == 0.1

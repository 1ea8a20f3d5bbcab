"""When the supervisor starts a dead program again: pure decisions."""

from cli.supervisor.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy(
    first_delay_s=0.2, max_delay_s=3.0, reset_after_s=10.0, crash_limit=5, crash_window_s=30.0
)


def whole(_policy: RestartPolicy = POLICY) -> Restarts:
    return Restarts(POLICY, chance=lambda: 1.0)


def test_delays_double_up_to_the_limit_while_a_program_that_once_was_healthy_keeps_dying() -> None:
    restarts = whole()
    delays = [restarts.after_death(float(second), 0.1) for second in range(6)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]


def test_jitter_takes_up_to_half_of_the_delay_away() -> None:
    assert Restarts(POLICY, chance=lambda: 0.0).after_death(0.0, None) == 0.1
    assert Restarts(POLICY, chance=lambda: 1.0).after_death(0.0, None) == 0.2


def test_being_healthy_for_long_enough_resets_the_back_off() -> None:
    restarts = whole()
    for second in range(4):
        restarts.after_death(float(second), 0.1)
    assert restarts.after_death(60.0, 10.0) == 0.2
    assert restarts.after_death(61.0, 9.9) == 0.4


def test_a_program_that_never_was_healthy_is_given_up_after_its_fifth_quick_death() -> None:
    restarts = whole()
    delays = [restarts.after_death(second, None) for second in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert None not in delays[:4]
    assert delays[4] is None


def test_deaths_further_apart_than_the_window_are_no_crash_loop() -> None:
    restarts = whole()
    delays = [restarts.after_death(second, None) for second in (0.0, 10.0, 20.0, 30.0, 40.0)]
    assert None not in delays


def test_a_program_that_was_healthy_once_is_never_given_up() -> None:
    restarts = whole()
    restarts.after_death(0.0, 0.5)
    assert all(restarts.after_death(0.1 * n, None) is not None for n in range(50))

"""When the supervisor starts a dead program again: pure decisions."""

from cli.supervisor.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy(
    first_delay_s=0.2, max_delay_s=3.0, free_deaths=3, forgiven_after_s=10.0,
    crash_limit=5, crash_window_s=30.0,
)  # fmt: skip


def without_jitter(policy: RestartPolicy = POLICY) -> Restarts:
    return Restarts(policy, chance=lambda: 1.0)


def test_a_program_that_was_healthy_is_started_again_at_once() -> None:
    assert without_jitter().after_death(60.0, 60.0) == 0.0


def test_the_fourth_death_without_health_in_between_waits_and_each_one_more_twice_as_long() -> None:
    restarts = without_jitter()
    delays = [restarts.after_death(float(second), 0.0) for second in range(9)]
    assert delays == [0.0, 0.0, 0.0, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0]


def test_a_program_that_is_killed_every_few_seconds_is_started_at_once_each_time() -> None:
    restarts = without_jitter()
    assert [restarts.after_death(4.0 * place, 3.0) for place in range(20)] == [0.0] * 20


def test_a_program_that_dies_a_second_after_each_start_is_slowed_down() -> None:
    restarts = without_jitter()
    delays = [restarts.after_death(2.0 * place, 1.0) or 0.0 for place in range(20)]
    assert delays == sorted(delays)
    assert delays[-1] == POLICY.max_delay_s


def test_a_program_that_does_not_even_become_healthy_waits_from_its_first_death_on() -> None:
    restarts = without_jitter()
    restarts.after_death(0.0, 60.0)
    delays = [restarts.after_death(60.0 + place, None) for place in range(4)]
    assert delays == [0.2, 0.4, 0.8, 1.6]


def test_jitter_takes_up_to_half_of_the_delay_away() -> None:
    assert Restarts(POLICY, chance=lambda: 0.0).after_death(0.0, None) == 0.1
    assert Restarts(POLICY, chance=lambda: 1.0).after_death(0.0, None) == 0.2


def test_ten_seconds_of_health_make_up_for_all_deaths_and_five_for_half_of_them() -> None:
    restarts = without_jitter()
    for second in range(8):
        restarts.after_death(float(second), 0.0)
    assert restarts.after_death(60.0, 5.0) == 0.4
    assert restarts.after_death(61.0, 10.0) == 0.0
    assert restarts.after_death(62.0, 0.0) == 0.0


def test_a_program_that_never_was_healthy_is_given_up_after_its_fifth_quick_death() -> None:
    restarts = without_jitter()
    delays = [restarts.after_death(second, None) for second in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert None not in delays[:4]
    assert delays[4] is None


def test_deaths_further_apart_than_the_window_are_no_crash_loop() -> None:
    restarts = without_jitter()
    delays = [restarts.after_death(second, None) for second in (0.0, 10.0, 20.0, 30.0, 40.0)]
    assert None not in delays


def test_a_program_that_was_healthy_once_is_never_given_up() -> None:
    restarts = without_jitter()
    restarts.after_death(0.0, 0.5)
    assert all(restarts.after_death(0.1 * n, None) is not None for n in range(50))

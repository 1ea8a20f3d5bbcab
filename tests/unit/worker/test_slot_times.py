"""What the slots of a lane have done, while tasks run and after."""

from tasks.heartbeat import LaneLoad
from tests.unit.tasks.test_service_times import Clock
from worker.slot_times import SlotTimes


def test_work_counts_while_it_is_done_and_after() -> None:
    clock = Clock()
    times = SlotTimes(2, clock)
    assert times.work().load == LaneLoad(2, None)
    assert times.work().worked_s == 0.0
    with times.running():
        clock.now = 4.0
        with times.running():
            clock.now = 6.0
            assert times.work().worked_s == 8.0
        assert times.work().worked_s == 8.0
        clock.now = 10.0
    clock.now = 100.0
    work = times.work()
    assert work.worked_s == 12.0
    assert work.load.mean_s is not None
    assert 2.0 < work.load.mean_s < 10.0


def test_a_task_that_fails_has_worked_too() -> None:
    clock = Clock()
    times = SlotTimes(1, clock)
    try:
        with times.running():
            clock.now = 3.0
            raise ValueError
    except ValueError:
        pass
    assert times.work().worked_s == 3.0

"""How much there is to do, by what workers and lanes show."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.demand import DemandMeter, LaneDemand, LaneSample, Sample
from tasks.heartbeat import LaneLoad, WorkerRecord
from tasks.lanes import BULK, QUERY, LaneStatus


def worker(
    name: str, worked_s: float, uptime_s: float, *, mean_s: float | None = 0.5, slots: int = 2
) -> WorkerRecord:
    return WorkerRecord(
        name, "host", 1, slots, 1, 0.0, 0, 0.0, False, ("query",),
        {"query": LaneLoad(slots, mean_s)}, {"query": worked_s}, uptime_s,
    )  # fmt: skip


def sample(at: float, *workers: WorkerRecord, waiting: int = 0, held: int = 0) -> Sample:
    status = LaneStatus("query", waiting + held, held)
    return Sample(at, workers, (LaneSample(QUERY, status),))


def measured(*samples: Sample, window_s: float = 15.0) -> LaneDemand:
    meter = DemandMeter(window_s)
    return [meter.measure(one)[0] for one in samples][-1]


def test_what_slots_worked_between_two_looks_is_the_load() -> None:
    found = measured(
        sample(0, worker("a", 100, 1000), worker("b", 0, 10)),
        sample(5, worker("a", 106, 1004), worker("b", 2, 14)),
    )
    assert found.load == pytest.approx(6 / 4 + 2 / 4)
    assert (found.slots_each, found.mean_s) == (2.0, 0.5)


def test_of_a_worker_seen_for_the_first_time_its_whole_life_counts() -> None:
    assert measured(sample(0, worker("a", 5, 10))).load == 0.5
    assert measured(sample(0, worker("a", 0, 0))).load == 0.0


def test_what_the_queue_grows_by_comes_too_and_what_it_shrinks_by_does_not() -> None:
    busy = (worker("a", 10, 10), worker("a", 20, 15))  # both slots
    grows = measured(sample(0, busy[0], waiting=0), sample(5, busy[1], waiting=20))
    assert grows.load == pytest.approx(2 + 20 / 5 * 0.5)
    shrinks = measured(sample(0, busy[0], waiting=20), sample(5, busy[1], waiting=10))
    assert shrinks.load == pytest.approx(2 - 10 / 5 * 0.5)


def test_what_is_held_does_not_wait() -> None:
    assert measured(sample(0, worker("a", 0, 1), waiting=3, held=2)).waiting == 3


def test_looks_before_the_window_are_forgotten() -> None:
    found = measured(
        sample(0, worker("a", 0, 0), waiting=0),
        sample(20, worker("a", 40, 20), waiting=100),
        sample(25, worker("a", 40, 25), waiting=100),
    )
    assert found.load == 0.0


def test_after_an_outage_it_begins_anew() -> None:
    meter = DemandMeter(15.0)
    meter.measure(sample(0, worker("a", 0, 10), waiting=0))
    meter.forget()
    (found,) = meter.measure(sample(5, worker("a", 0, 15), waiting=1000))
    assert found.load == 0.0


def test_a_worker_that_started_again_counts_by_its_new_name() -> None:
    found = measured(sample(0, worker("a", 500, 1000)), sample(5, worker("a2", 1, 2)))
    assert found.load == 0.5


def test_an_older_worker_that_tells_less_counts_by_the_moment() -> None:
    old = replace(worker("a", 0, 0), worked_s={}, uptime_s=0.0)
    assert measured(sample(0, old)).load == 1.0
    lane = LaneSample(BULK, LaneStatus("bulk", 3, 0))
    (found,) = DemandMeter(15.0).measure(Sample(0, (old,), (lane,)))
    assert (found.load, found.waiting, found.slots_each) == (0.0, 3, 0.0)


def test_a_worker_that_leaves_still_works_and_is_no_capacity() -> None:
    leaving = replace(worker("a", 2, 2), draining=True)
    found = measured(sample(0, leaving, worker("b", 1, 1, slots=4)))
    assert (found.load, found.slots_each) == (2.0, 4.0)
    assert sample(0, leaving, worker("b", 1, 1)).taking == 1


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4), st.integers(0, 1000)), min_size=1))
def test_no_load_is_ever_negative(rounds: list[tuple[float, float, int]]) -> None:
    meter = DemandMeter(15.0)
    for number, (worked_s, uptime_s, waiting) in enumerate(rounds):
        one = sample(number * 5.0, worker("a", worked_s, uptime_s), waiting=waiting)
        assert all(found.load >= 0 for found in meter.measure(one))

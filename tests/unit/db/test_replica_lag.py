"""A replica's age is never less than it is."""

import random

from hypothesis import given
from hypothesis import strategies as st

from db.replica_lag import Position, PrimaryLog


def at(place: int, timeline: int = 1, system: str = "s") -> Position:
    return Position(system, timeline, place)


def sample(log: PrimaryLog, began: float, position: Position) -> None:
    """Have nothing flushed, so that the position alone counts."""
    log.add(began, position, at(2**60), 0.2)


def test_what_is_flushed_tells_of_the_time_before_asynchronous_commits() -> None:
    log = PrimaryLog()
    log.add(10.0, at(6000), at(5000), 0.5)
    assert log.covered_at(at(5500)) == 8.5
    assert log.covered_at(at(6000)) == 10.0
    assert log.covered_at(at(4999)) is None


def test_positions_are_read_as_postgresql_writes_them() -> None:
    assert Position.parse("7", "0000000A", "16/B374D848") == Position("7", 10, 0x16B374D848)


def test_an_idle_primary_makes_no_replica_old() -> None:
    log = PrimaryLog()
    for second in range(100):
        sample(log, float(second), at(5000))
    assert log.covered_at(at(5000)) == 99.0


def test_a_replica_that_stands_still_grows_older_while_the_primary_goes_on() -> None:
    log = PrimaryLog()
    for second in range(100):
        sample(log, float(second), at(5000 + second))
    assert log.covered_at(at(5010)) == 10.0


def test_one_that_lags_too_far_another_timeline_and_another_cluster_are_not_known() -> None:
    log = PrimaryLog()
    sample(log, 0.0, at(5000))
    assert log.covered_at(at(4999)) is None
    assert log.covered_at(at(6000, timeline=2)) is None
    assert log.covered_at(at(6000, system="other")) is None
    sample(log, 1.0, at(5500, timeline=2))
    assert log.covered_at(at(6000)) is None


def test_the_header_of_the_next_page_is_nothing_to_replay() -> None:
    log = PrimaryLog()
    sample(log, 0.0, at(8192 * 3 + 24))
    assert log.covered_at(at(8192 * 3)) == 0.0
    assert log.covered_at(at(8192 * 3 - 8)) is None


@given(st.integers(0, 2**32))
def test_it_never_claims_what_was_committed_later(seed: int) -> None:
    random_ = random.Random(seed)
    log, place, commits = PrimaryLog(), 8192 * 10, []
    for now in range(30):
        sample(log, now, at(place))
        for _ in range(random_.randrange(3)):
            place += random_.randrange(1, 300) * 8
            if place % 8192 <= 40:  # no record ends within a header
                place += 48
            commits.append((now + 0.5, place))
    replayed = random_.choice([0, *(end for _, end in commits), place])
    covered_at = log.covered_at(at(replayed))
    if covered_at is not None:
        assert all(end <= replayed for when, end in commits if when < covered_at)

"""One scaler decides at a time, and what it decided can be read."""

import redis

from tasks.link import borrowed
from tasks.scaling import LEASE, STANDBY, ScalerSeat, ScalingRecord, scaling
from tests.integration.tasks.conftest import eventually
from tests.unit.tasks.test_service_times import Clock

RECORD = ScalingRecord("advise", 3, 2, 1, 20, "load: because", 12.5)


def test_the_first_has_the_seat_and_keeps_it(client: redis.Redis) -> None:
    first, second = ScalerSeat(client, "one", 60.0), ScalerSeat(client, "two", 60.0)
    assert first.take()
    assert not second.take()
    assert first.take()
    assert (first.is_held(), second.is_held()) == (True, False)


def test_who_leaves_makes_room_at_once(client: redis.Redis) -> None:
    first, second = ScalerSeat(client, "one", 60.0), ScalerSeat(client, "two", 60.0)
    first.take()
    first.tell(RECORD)
    first.leave()
    assert not first.is_held()
    assert scaling(client) is None
    assert second.take()
    first.leave()  # again, and nobody else's seat
    assert not ScalerSeat(client, "three", 60.0).take()


def test_who_is_silent_is_followed_when_the_lease_lapses(client: redis.Redis) -> None:
    first, second = ScalerSeat(client, "one", 0.2), ScalerSeat(client, "two", 60.0)
    first.take()
    eventually(second.take)
    assert not first.is_held()


def test_who_hangs_knows_that_the_seat_may_be_anothers(client: redis.Redis) -> None:
    clock = Clock()
    seat = ScalerSeat(client, "one", 60.0, clock)
    seat.take()
    clock.now = 59.0
    assert seat.is_held()
    clock.now = 60.0
    assert not seat.is_held()


def test_who_has_lost_the_seat_tells_nothing(client: redis.Redis) -> None:
    first, second = ScalerSeat(client, "one", 60.0), ScalerSeat(client, "two", 60.0)
    first.take()
    assert first.tell(RECORD)
    with borrowed(client) as link:
        link.call("DEL", LEASE)
    second.take()
    assert not first.tell(ScalingRecord("docker", 9, 9, 1, 20, "late"))
    found = scaling(client)
    assert found is not None
    assert found.record == RECORD


def test_whether_somebody_decides_stands_by_or_is_away_can_be_read(client: redis.Redis) -> None:
    assert scaling(client) is None
    first, second = ScalerSeat(client, "one", 60.0), ScalerSeat(client, "two", 60.0)
    first.take()
    first.tell(RECORD)
    second.take()

    def state() -> str | None:
        found = scaling(client)
        return None if found is None else found.state

    assert state() == "active"
    with borrowed(client) as link:
        link.call("DEL", LEASE)  # it was killed, and its lease has lapsed
        assert state() == "standby"
        link.call("DEL", STANDBY)
    assert state() == "away"

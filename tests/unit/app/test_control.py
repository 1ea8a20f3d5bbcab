"""A query learns that it is not wanted, until it has heard."""

import threading

import pytest

from app.queries.control import Control
from app.queries.errors import Cancelled, DeadlinePassed


def test_who_does_not_hear_is_told_again_until_it_leaves() -> None:
    control = Control("q", 60)
    heard = threading.Event()
    calls: list[int] = []

    def callback() -> None:
        calls.append(1)
        if len(calls) == 3:
            heard.set()

    with control.cancelling(callback):
        assert control.cancel("deleted")
        assert not control.cancel("client gone")
        assert heard.wait(30)
    told = len(calls)
    with pytest.raises(Cancelled, match="deleted"), control.cancelling(callback):
        pytest.fail("a cancelled query went on")
    assert len(calls) == told


def test_the_deadline_is_one_for_all_stages() -> None:
    now = [100.0]
    control = Control("q", 5.0, lambda: now[0])
    now[0] += 4.0
    assert control.remaining_s() == 1.0
    now[0] += 1.0
    with pytest.raises(DeadlinePassed):
        control.remaining_s()
    control.cancel("stopping")
    with pytest.raises(Cancelled):
        control.remaining_s()

"""One slot at a time looks for lapsed leases."""

from tasks.slot import ClaimTurn


def test_one_look_an_interval_and_another_after_a_find() -> None:
    now = [1.0]
    turn = ClaimTurn(0.5, lambda: now[0])
    assert turn.take()
    assert not turn.take()
    assert not turn.is_due()
    turn.found_one()
    assert turn.take()
    now[0] = 1.5
    assert turn.take()

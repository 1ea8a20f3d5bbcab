"""Who begins, who waits, and who is refused."""

from hypothesis import given
from hypothesis import strategies as st

from app.lanes.lane import FixedLimit, Lane

FOREVER = float("inf")


def lane(limit: int = 2, *, max_waiting: int = 4, wait_s: float = 1.0) -> Lane[str]:
    return Lane("query", FixedLimit(limit), max_waiting=max_waiting, wait_s=wait_s)


def busy(limit: int = 1, took_s: float = 0.1, **rules: float) -> Lane[str]:
    """A lane with as many under way as may be, whose requests take `took_s`."""
    it = lane(limit, max_waiting=int(rules.get("max_waiting", 4)), wait_s=rules.get("wait_s", 1.0))
    for _ in range(limit + 1):
        if it.arrive("first", 0.0, FOREVER) == "begin" and it.in_flight == 1:
            it.leave(took_s)
    while it.in_flight < limit:
        it.arrive("first", 0.0, FOREVER)
    return it


def test_as_many_as_may_be_are_under_way_and_the_next_waits_for_an_end() -> None:
    it = lane(limit=2)
    assert [it.arrive(name, 0.0, FOREVER) for name in "abc"] == ["begin", "begin", "wait"]
    assert it.admit() == []
    it.leave(0.1)
    assert it.admit() == ["c"]
    assert (it.in_flight, it.waiting) == (2, 0)


def test_who_waits_is_served_in_order_of_arrival() -> None:
    it = busy(took_s=0.01)
    assert [it.arrive(name, 0.0, FOREVER) for name in "abc"] == ["wait"] * 3
    served = []
    while it.waiting:
        it.leave(0.01)
        served += it.admit()
    assert served == ["a", "b", "c"]


def test_a_full_queue_refuses() -> None:
    it = busy(took_s=0.001, max_waiting=2)
    answers = [it.arrive(name, 0.0, FOREVER) for name in "abc"]
    assert answers == ["wait", "wait", "full"]


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    it = busy(took_s=0.4, wait_s=1.0)
    answers = [it.arrive(name, 0.0, FOREVER) for name in "abc"]
    assert answers == ["wait", "wait", "late"]


def test_who_has_less_time_than_the_wait_and_the_work_take_is_refused_at_once() -> None:
    it = busy(took_s=0.1)
    assert it.arrive("hurried", 0.0, 0.15) == "late"
    assert it.arrive("patient", 0.0, 0.25) == "wait"


def test_an_idle_lane_refuses_nobody_however_hurried() -> None:
    it = lane()
    assert it.arrive("first", 0.0, FOREVER) == "begin"
    it.leave(60.0)
    assert it.arrive("hurried", 0.0, 0.001) == "begin"


def test_who_has_waited_too_long_is_returned_and_not_served() -> None:
    it = busy(took_s=0.01, wait_s=1.0)
    it.arrive("a", 0.0, FOREVER)
    it.arrive("b", 0.0, 0.5)
    assert it.next_deadline == 0.49
    assert it.expire(0.49) == ["b"]
    assert it.expire(1.0) == ["a"]
    it.leave(0.01)
    assert it.admit() == []


def test_a_queue_that_does_not_get_empty_is_made_short() -> None:
    it = busy(took_s=0.001, wait_s=1.0, max_waiting=100)
    it.arrive("burst", 0.0, FOREVER)
    it.arrive("still a burst", 0.95, FOREVER)
    it.arrive("overload", 1.0, FOREVER)
    assert it.expire(1.15) == ["burst", "overload"]
    assert it.expire(1.95) == ["still a burst"]


def test_a_refusal_makes_the_queue_short_for_a_while() -> None:
    it = busy(took_s=0.001, wait_s=1.0, max_waiting=1)
    it.arrive("a", 0.0, FOREVER)
    assert it.arrive("b", 0.0, FOREVER) == "full"
    assert it.expire(1.0) == ["a"]
    it.arrive("c", 2.0, FOREVER)
    assert it.expire(2.15) == ["c"]
    it.arrive("d", 9.0, FOREVER)
    assert it.next_deadline == 10.0


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["arrive", "leave", "expire"]), st.floats(0, 2))),
)
def test_each_who_came_is_under_way_or_over_or_waits_or_was_refused(
    limit: int, steps: list[tuple[str, float]]
) -> None:
    it: Lane[int] = Lane("query", FixedLimit(limit), max_waiting=3, wait_s=0.5)
    now, came, begun, over, refused = 0.0, 0, 0, 0, 0
    for step, passed_s in steps:
        now += passed_s
        if step == "arrive":
            outcome = it.arrive(came, now, 1.0)
            came += 1
            begun += outcome == "begin"
            refused += outcome in ("full", "late")
        elif step == "leave" and it.in_flight:
            it.leave(passed_s)
            over += 1
        else:
            refused += len(it.expire(now))
        begun += len(it.admit())
        assert it.in_flight == begun - over <= limit
        assert it.waiting <= 3
        assert came == begun + refused + it.waiting
        assert not it.waiting or it.in_flight == limit

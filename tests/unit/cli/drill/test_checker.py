"""The account of small histories, case by case."""

from cli.drill.checker import check
from cli.drill.event import Attempt, Event, Outcome, Read, Rows, Seen, Tally, Value, Write


def history(*steps: tuple[Outcome, Value]) -> list[Event]:
    """Events one after the other, a second each, half of it between."""
    return [
        Event(number, "step", float(number), number + 0.5, outcome, value)
        for number, (outcome, value) in enumerate(steps)
    ]


def counted(effect: str = "e") -> Attempt:
    return Attempt(effect, once=False)


def keyed(reply: str = "id") -> Attempt:
    return Attempt("k", once=True, reply=reply)


def test_nothing_happened_is_clean() -> None:
    assert check([]).is_clean


def test_what_was_acknowledged_and_is_there_is_ok() -> None:
    account = check(history(("ok", counted()), ("ok", counted()), ("ok", Tally("e", 2))))
    assert account.ok == {"e": 2}
    assert account.is_clean


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    account = check(history(("ok", counted()), ("ok", counted()), ("ok", Tally("e", 1))))
    assert account.lost == {"e": 1}
    assert not account.is_clean


def test_an_unknown_outcome_may_be_there_or_not() -> None:
    there = check(history(("unknown", counted()), ("ok", Tally("e", 1))))
    assert there.recovered == {"e": 1}
    assert there.is_clean
    assert check(history(("unknown", counted()), ("ok", Tally("e", 0)))).is_clean


def test_what_was_refused_must_not_be_there() -> None:
    account = check(history(("failed", counted()), ("ok", Tally("e", 1))))
    assert account.unexpected == {"e": 1}
    assert not account.is_clean


def test_more_than_was_asked_for_is_duplicated() -> None:
    account = check(history(("ok", counted()), ("unknown", counted()), ("ok", Tally("e", 3))))
    assert account.duplicated == {"e": 1}


def test_the_same_key_again_is_one_effect() -> None:
    steps = history(("unknown", keyed("")), ("ok", keyed()), ("ok", keyed()), ("ok", Tally("k", 1)))
    assert check(steps).is_clean
    assert check(steps).ok == {"k": 1}


def test_two_under_one_key_are_duplicated() -> None:
    assert check(history(("ok", keyed()), ("ok", Tally("k", 2)))).duplicated == {"k": 1}


def test_two_ids_for_one_key_are_duplicated_although_one_is_found() -> None:
    steps = history(("ok", keyed("a")), ("ok", keyed("b")), ("ok", Tally("k", 1)))
    assert check(steps).duplicated == {"k": 1}


def test_what_nobody_could_look_at_is_not_clean() -> None:
    account = check(history(("ok", counted())))
    assert account.unread == {"e": 1}
    assert not account.is_clean


def test_rows_are_accounted_for_one_by_one() -> None:
    rows = Rows("job", ("a", "b", "c"), ((1, "a"), (3, "x"), (3, "c"), (4, "d")))
    account = check(history(("ok", rows)))
    assert account.lost == {"job row 2": 1}
    assert account.duplicated == {"job row 3": 1}
    assert account.unexpected == {"job row 4": 1}
    assert [one.why for one in account.wrong] == ["job row 3: x, not c"]
    assert account.rows == 3


def test_rows_in_another_order_are_wrong() -> None:
    account = check(history(("ok", Rows("job", ("a", "b"), ((2, "b"), (1, "a"))))))
    assert [one.why for one in account.wrong] == ["job: its rows are not in order"]


def test_an_answer_that_is_not_the_known_one_is_wrong_only_if_it_is_one() -> None:
    account = check(history(("ok", Read("1", "2")), ("unknown", Read("1", None))))
    assert [(one.event, one.why) for one in account.wrong] == [(0, "2, not 1")]


def test_an_answer_without_rows_is_wrong() -> None:
    assert len(check(history(("ok", Read("1", None)))).wrong) == 1


def test_an_answer_of_two_versions_is_wrong() -> None:
    steps = history(("ok", Write(1)), ("ok", Seen(0, 1, 10.0)))
    assert [one.why for one in check(steps).wrong] == ["versions 0 and 1 in one answer"]


def test_a_version_before_it_was_written_is_wrong() -> None:
    steps = history(("ok", Seen(1, 1, 0.0)), ("ok", Write(1)))
    assert [one.why for one in check(steps).wrong] == ["version 1, which nobody had written"]


def test_a_version_whose_write_is_under_way_may_be_seen_or_not() -> None:
    write = Event(0, "write", 0.0, 10.0, "ok", Write(1))
    for version in (0, 1):
        read = Event(1, "read", 4.0, 5.0, "ok", Seen(version, version, 0.0))
        assert check([write, read]).is_clean


def test_a_version_of_a_write_without_an_answer_may_be_seen_or_not_for_good() -> None:
    for version in (0, 1):
        steps = history(("unknown", Write(1)), ("ok", Seen(version, version, 0.0)))
        assert check(steps).is_clean


def test_an_old_version_is_right_for_an_answer_that_says_its_age() -> None:
    write = Event(0, "write", 0.0, 1.0, "ok", Write(1))
    fresh = Event(1, "read", 11.0, 12.0, "ok", Seen(0, 0, 0.0))
    old = Event(1, "read", 11.0, 12.0, "ok", Seen(0, 0, 10.0))
    too_old = Event(1, "read", 11.0, 12.0, "ok", Seen(0, 0, 5.0))
    assert check([write, old]).is_clean
    assert not check([write, fresh]).is_clean
    assert not check([write, too_old]).is_clean

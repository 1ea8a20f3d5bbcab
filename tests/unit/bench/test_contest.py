"""Runs of a query on several sides."""

from collections.abc import Iterator

from bench.query.answers import Answer
from bench.query.contest import Contest, Patience
from bench.query.sides import Plan, Refused, Taken, TooLong

ANSWER = Answer([("1",)], ("integer",))


class Played:
    """A side that takes what it is told to."""

    def __init__(self, name: str, *milliseconds: float, answer: Answer = ANSWER) -> None:
        self.name = name
        self._left: Iterator[float] = iter(milliseconds)
        self._answer = answer
        self.runs = 0

    def run(self, _: str) -> Taken:
        self.runs += 1
        taken = next(self._left)
        if taken < 0:
            raise TooLong
        if taken == 0:
            raise Refused("not on the list")
        return Taken(taken, lambda: self._answer, Plan("columnar", 2, "measured"))


def test_the_first_run_fills_caches_and_does_not_count() -> None:
    contest = Contest("SELECT 1", Patience(10.0, 60.0))
    contest.run([Played("one", 100.0, 3.0, 1.0, 2.0)], 4)
    assert contest.results["one"].median_ms == 2.0
    contest.run([Played("another", 100.0)], 1)
    assert contest.results["another"].median_ms == 100.0


def test_a_run_that_fills_counts_nowhere() -> None:
    contest = Contest("SELECT 1", Patience(2.0, 60.0))
    slow_at_first, refusing = (
        Played("slow at first", 9000.0, 2.0, 1.0),
        Played("refusing", 0.0, 0.0),
    )
    for side in (slow_at_first, refusing):
        contest.fill(side)
        contest.run([side], 2)
    assert contest.results["slow at first"].milliseconds == [2.0, 1.0]
    assert contest.results["refusing"].problem == "not on the list"


def test_a_side_that_has_used_its_time_runs_no_more() -> None:
    contest = Contest("SELECT 1", Patience(2.0, 60.0))
    slow, fast = Played("slow", *[1500.0] * 9), Played("fast", *[1.0] * 9)
    contest.run([slow, fast], 9)
    assert (slow.runs, fast.runs) == (2, 9)


def test_who_is_ended_or_refuses_is_asked_no_more_and_says_why() -> None:
    contest = Contest("SELECT 1", Patience(2.0, 60.0))
    ended, refusing = Played("ended", -1.0), Played("refusing", 0.0)
    contest.run([ended, refusing], 3)
    assert (ended.runs, refusing.runs) == (1, 1)
    assert contest.results["ended"].at_least_ms == 60_000
    assert contest.results["ended"].median_ms is None
    assert contest.results["refusing"].problem == "not on the list"
    assert contest.results["refusing"].at_least_ms is None


def test_answers_are_compared_with_the_first_one() -> None:
    contest = Contest("SELECT 1", Patience(2.0, 60.0))
    wrong = Played("wrong", 1.0, answer=Answer([("2",)], ("integer",)))
    contest.run([Played("first", 1.0), Played("right", 1.0), wrong], 1)
    verdicts = {name: measured.verdict for name, measured in contest.results.items()}
    assert verdicts == {"first": "equal", "right": "equal", "wrong": "DIFFERS"}

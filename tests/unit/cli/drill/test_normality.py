"""When all is normal again."""

import random
import threading
import time

from cli.drill.client import Client
from cli.drill.connection import Connection
from cli.drill.history import History
from cli.drill.mix import Action
from cli.drill.normality import IN_A_ROW, Normality

HISTORY = History()


def client(name: str, over: threading.Event) -> Client:
    connection = Connection("http://127.0.0.1:1", 1.0, time.monotonic)
    return Client(connection, HISTORY, random.Random(name), "probe", over.wait)


def probe(*answers: bool) -> tuple[Action, list[float]]:
    """A probe that answers so, then always well; and when it was asked."""
    asked: list[float] = []
    left = list(answers)

    def answer(_: Client) -> bool:
        asked.append(HISTORY.now())
        return left.pop(0) if left else True

    return answer, asked


def test_normal_is_since_the_first_of_ten_successes_in_a_row_of_the_last_kind() -> None:
    quick, _ = probe()
    late, asked = probe(True, True, False, True, False)
    normality = Normality({"quick": quick, "late": late}, client, list, HISTORY.now)
    normal = normality.wait(30.0, threading.Event())
    assert normal.missing == ()
    assert normal.at is not None
    assert asked[5] <= normal.at <= asked[6]
    assert len(asked) >= 5 + IN_A_ROW


def test_what_never_succeeds_is_missing() -> None:
    good, _ = probe()
    normality = Normality({"good": good, "bad": lambda _: False}, client, list, HISTORY.now)
    normal = normality.wait(0.2, threading.Event())
    assert normal.at is None
    assert "bad" in normal.missing


def test_an_interrupted_wait_ends_at_once() -> None:
    interrupted = threading.Event()
    interrupted.set()
    began_at = HISTORY.now()
    Normality({"bad": lambda _: False}, client, list, HISTORY.now).wait(60.0, interrupted)
    assert HISTORY.now() - began_at < 30.0


def test_right_answers_of_a_stack_that_is_short_of_something_are_not_normal() -> None:
    good, _ = probe()
    normality = Normality({"good": good}, client, lambda: ["app-2 does not run"], HISTORY.now)
    normal = normality.wait(2.0, threading.Event())
    assert normal.whole_at is None
    assert normal.missing[-1] == "app-2 does not run"


def test_the_stack_is_whole_since_it_was_short_of_something_for_the_last_time() -> None:
    good, _ = probe()
    looks: list[float] = []

    def missing() -> list[str]:
        looks.append(HISTORY.now())
        return [] if len(looks) not in {1, 3} else ["app-2 does not run"]

    normal = Normality({"good": good}, client, missing, HISTORY.now).wait(30.0, threading.Event())
    assert normal.missing == ()
    assert normal.whole_at is not None
    assert looks[3] <= normal.whole_at <= looks[4]


def test_a_stack_that_cannot_be_looked_at_is_not_whole() -> None:
    good, _ = probe()

    def missing() -> list[str]:
        raise ValueError("half an answer")

    normal = Normality({"good": good}, client, missing, HISTORY.now).wait(1.5, threading.Event())
    assert normal.whole_at is None
    assert "half an answer" in normal.missing[-1]

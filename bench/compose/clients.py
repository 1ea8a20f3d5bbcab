"""Clients that ask a running stack a mix of questions, and know the answers."""

import hashlib
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx
from stack import Stack

TIMEOUT_S = 60.0
QUESTIONS = (
    """SELECT grp, count(*), sum(n), max(n) FROM numbers WHERE id BETWEEN {low} AND {high}
        GROUP BY grp ORDER BY grp""",
    "SELECT count(*), sum(n), min(n) FROM numbers WHERE id BETWEEN {low} AND {high}",
    "SELECT id, n, grp FROM numbers WHERE id BETWEEN {low} AND {high} ORDER BY n, id LIMIT 5",
    # costly enough to be split over the workers
    """SELECT a.grp, count(*), sum(b.n) FROM numbers a JOIN numbers b
        ON b.id BETWEEN a.id AND a.id + 2 WHERE a.id BETWEEN {low} AND {high}
        GROUP BY a.grp ORDER BY a.grp""",
)
VARIANTS = 6  # of each question

Ask = Callable[[httpx.Client, random.Random], str | None]


@dataclass
class Tally:
    """What came of the requests, by kind; `problems` are (seconds since the start, kind, what)."""

    good: Counter[str] = field(default_factory=Counter)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    problems: list[tuple[float, str, str]] = field(default_factory=list)

    def between(self, begin: float, end: float) -> tuple[int, list[tuple[float, str, str]]]:
        """Return how many were answered well in a span, and what was not."""
        good = sum(1 for at, _ in list(self.seconds) if begin <= at < end)
        return good, [one for one in list(self.problems) if begin <= one[0] < end]


def known_answers(stack: Stack) -> list[tuple[str, str]]:
    """Return questions and their answers as PostgreSQL itself gives them, in CSV."""
    rng = random.Random(7)
    found = []
    for question, _ in itertools.product(QUESTIONS, range(VARIANTS)):
        low = rng.randint(1, 90_000)
        sql = question.format(low=low, high=low + rng.randint(500, 4000))
        found.append((sql, stack.psql(sql)))
    return found


def mix(questions: Sequence[tuple[str, str]]) -> dict[str, Ask]:
    """Return what the clients do, each returning what is wrong with the answer, or None."""

    def query(client: httpx.Client, rng: random.Random) -> str | None:
        sql, expected = rng.choice(questions)
        answer = client.post("/v1/query", json={"sql": sql, "max_staleness_s": 0})
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text[:160]}"
        rows = "\n".join(",".join(str(value) for value in row) for row in answer.json()["rows"])
        return None if rows == expected else f"WRONG {sql}: {rows[:80]!r}, not {expected[:80]!r}"

    def hashed(client: httpx.Client, rng: random.Random) -> str | None:
        data = f"value {rng.random()}"
        answer = client.post("/v1/hash", json={"algorithm": "sha256", "data": data})
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text[:160]}"
        right = answer.json()["digest"] == hashlib.sha256(data.encode()).hexdigest()
        return None if right else f"WRONG digest of {data}"

    def batch(client: httpx.Client, rng: random.Random) -> str | None:
        values = [f"item {rng.random()}" for _ in range(100)]
        body = "".join(json.dumps({"data": value}) + "\n" for value in values)
        answer = client.post(
            "/v1/hash/batch", content=body,
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text[:160]}"
        wrong = [v for v in values if hashlib.sha256(v.encode()).hexdigest() not in answer.text]
        return f"WRONG batch: {len(wrong)} digests missing" if wrong else None

    return {"query": query, "query 2": query, "hash": hashed, "batch": batch}


class Clients:
    """Threads that ask on and on until told to stop."""

    def __init__(self, url: str, actions: dict[str, Ask], count: int, pause_s: float) -> None:
        """`pause_s`: between an answer and the next request of the same client."""
        self._url = url
        self._actions = list(actions.items())
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in range(count)]
        self.tally = Tally()

    def __enter__(self) -> Self:
        """Start."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, after the answers that are being waited for."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def now(self) -> float:
        """Return seconds since the start."""
        return time.monotonic() - self._began

    def _run(self, number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=self._url, timeout=TIMEOUT_S) as client:
            while not self._stopped.is_set():
                kind, ask = rng.choice(self._actions)
                began = self.now()
                try:
                    problem = ask(client, rng)
                except httpx.HTTPError as error:
                    problem = f"{type(error).__name__} {error}"
                if problem is None:
                    self.tally.good[kind] += 1
                    self.tally.seconds.append((self.now(), self.now() - began))
                else:
                    self.tally.problems.append((self.now(), kind, problem))
                self._stopped.wait(self._pause_s)

"""What Millrace has promised: jobs and asynchronous queries, to be looked at in the end."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PromiseKind = Literal["job", "later"]


@dataclass(frozen=True)
class Promise:
    """Something asked for with an idempotency key, which is also the name of its effect.

    `expected`: the digests of a job's rows; of a query its answer's text alone.
    """

    kind: PromiseKind
    key: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """A promise that was acknowledged, by the id that the first acknowledgement gave."""

    promise: Promise
    id: str
    acknowledged_at: float


class Promises:
    """All promises of a drill; keys begin with `prefix`, which no other drill has."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._lock = threading.Lock()
        self._count = 0
        self._asked: dict[str, Promise] = {}
        self._kept: dict[str, Kept] = {}
        self._order: list[Kept] = []

    def new_key(self, what: str) -> str:
        """Return a key that was not there before."""
        with self._lock:
            self._count += 1
            return f"{self.prefix}-{what}-{self._count}"

    def ask(self, promise: Promise) -> None:
        """Note that it is asked for, before it is: afterwards it may be there."""
        with self._lock:
            self._asked[promise.key] = promise

    def acknowledge(self, promise: Promise, id_: str, at: float) -> None:
        """Note that it was acknowledged; again is no news."""
        with self._lock:
            if promise.key not in self._kept:
                kept = self._kept[promise.key] = Kept(promise, id_, at)
                self._order.append(kept)

    def asked(self) -> Sequence[Promise]:
        """Return all that was asked for."""
        with self._lock:
            return list(self._asked.values())

    def any_kept(self, kind: PromiseKind, before: float, rng: random.Random) -> Kept | None:
        """Return some promise that was acknowledged before a time; None if there is none."""
        with self._lock:
            for _ in range(10):  # a draw that does not fit is drawn again, a few times
                kept = rng.choice(self._order) if self._order else None
                if kept and kept.promise.kind == kind and kept.acknowledged_at < before:
                    return kept
        return None

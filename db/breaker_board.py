"""Where operators hold the breakers of all processes, and all processes tell their breakers' state.

It lies in Redis, so that it works while PostgreSQL does not.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis
from redis.exceptions import RedisError

from db.breaker import BreakerState, Mode
from db.errors import DatabaseError

ORDER = "millrace:breaker"
STATES = "millrace:breaker:states"
FORGOTTEN_S = 5  # after so long without a word a process is gone
KEPT_S = 60  # all of it, once nobody writes any more


class BoardUnavailable(DatabaseError):
    """Redis, where the board lies, cannot be reached."""


@dataclass(frozen=True)
class Order:
    """What an operator wants of all breakers; `left_s` seconds more, then it is over."""

    mode: Mode = "auto"
    reason: str = ""
    left_s: float | None = None


@dataclass(frozen=True)
class ProcessState:
    """What a process says of its breakers, by the name of their pool; `age_s` since it did.

    `mode` is the order that it obeys.
    """

    program: str
    host: str
    pid: int
    mode: Mode
    breakers: Mapping[str, BreakerState]
    age_s: float = 0.0


class BreakerBoard:
    """Reads and writes the board.  Every call raises BoardUnavailable.

    Times are by Redis's clock, so no process's own clock matters.  The order carries its end
    itself, rather than a time to live: a Redis that is short of memory evicts keys that have one.
    """

    def __init__(self, client: redis.Redis, program: str) -> None:
        self._client = client
        self._program = program
        self._field = f"{program}/{socket.gethostname()}/{os.getpid()}"

    def exchange(self, mode: Mode, breakers: Mapping[str, BreakerState]) -> Order:
        """Tell this process's state, and return the order."""
        said = {"program": self._program, "host": socket.gethostname(), "pid": os.getpid(),
                "mode": mode, "breakers": dict(breakers)}  # fmt: skip
        try:
            now_s = self._now_s()
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.get(ORDER)
                pipeline.hset(STATES, self._field, json.dumps({**said, "at": now_s}))
                pipeline.expire(STATES, KEPT_S)
                text, *_ = pipeline.execute()
        except (RedisError, OSError) as error:
            raise BoardUnavailable(f"Redis is not available: {error}") from error
        return _order(text, now_s)

    def give(self, order: Order) -> None:
        """Give the order to all processes; they follow within a second or two."""
        try:
            if order.mode == "auto":
                self._client.delete(ORDER)
                return
            until = None if order.left_s is None else self._now_s() + order.left_s
            said = {"mode": order.mode, "reason": order.reason, "until": until}
            self._client.set(ORDER, json.dumps(said))
        except (RedisError, OSError) as error:
            raise BoardUnavailable(f"Redis is not available: {error}") from error

    def look(self) -> tuple[Order, Sequence[ProcessState]]:
        """Return the order, and what live processes said last, by program, host and pid."""
        try:
            now_s = self._now_s()
            order = _order(cast("bytes | None", self._client.get(ORDER)), now_s)
            said = cast("dict[bytes, bytes]", self._client.hgetall(STATES))
            documents = {field: json.loads(text) for field, text in said.items()}
            gone = [field for field, of in documents.items() if now_s - of["at"] > FORGOTTEN_S]
            if gone:
                self._client.hdel(STATES, *gone)
        except (RedisError, OSError) as error:
            raise BoardUnavailable(f"Redis is not available: {error}") from error
        states = [_state(of, now_s) for field, of in documents.items() if field not in gone]
        return order, sorted(states, key=lambda one: (one.program, one.host, one.pid))

    def leave(self) -> None:
        """Take this process off the board."""
        try:
            self._client.hdel(STATES, self._field)
        except (RedisError, OSError) as error:
            raise BoardUnavailable(f"Redis is not available: {error}") from error

    def _now_s(self) -> float:
        seconds, micros = self._client.time()
        return seconds + micros / 1e6


def _order(text: bytes | None, now_s: float) -> Order:
    if text is None:
        return Order()
    said = json.loads(text)
    until = said["until"]
    if until is not None and until <= now_s:
        return Order()
    return Order(said["mode"], said["reason"], None if until is None else until - now_s)


def _state(said: dict[str, Any], now_s: float) -> ProcessState:
    return ProcessState(
        said["program"], said["host"], said["pid"], said["mode"], said["breakers"],
        max(0.0, now_s - said["at"]),
    )  # fmt: skip

"""What the queue gave up: tasks that ended their workers again and again, and malformed messages.

Jobs have dead letters of their own, in the ledger; these are of the lanes that are not durable.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import redis

from tasks.errors import MessageMalformed, QueueUnavailable
from tasks.lanes import PREFIX, Lane
from tasks.link import accepted, borrowed

DEAD = f"{PREFIX}dead"
MOST_KEPT = 1000
MOST_SHOWN = 300  # bytes of a payload: enough to tell which query it was

Fields = Mapping[bytes, bytes]


@dataclass(frozen=True)
class DeadLetter:
    """One record.

    `at_ms` is since 1970, by Redis's clock; `deliveries` is how often the task was given to a
    worker, `worker` the one that gave it up.  `payload` is its beginning, and `digest` its SHA-256
    in hex; both are empty for a lane of secrets.
    """

    at_ms: int
    lane: str
    cause: str
    deliveries: int
    worker: str
    digest: str
    payload: str

    @classmethod
    def decode(cls, entry_id: bytes, fields: Fields) -> Self:
        """Read an entry of the stream.  Raises MessageMalformed."""
        try:
            return cls(
                int(entry_id.partition(b"-")[0]),
                fields[b"lane"].decode(),
                fields[b"cause"].decode(),
                int(fields[b"deliveries"]),
                fields[b"worker"].decode(),
                fields[b"digest"].decode(),
                fields[b"payload"].decode(),
            )
        except (KeyError, ValueError) as error:
            raise MessageMalformed(f"entry {entry_id!r} is no dead letter: {error}") from error


@dataclass(frozen=True)
class DeadLetters:
    """How many records are kept, at most about a thousand, and the latest ones, newest first."""

    count: int
    latest: tuple[DeadLetter, ...]


def record(
    lane: Lane, cause: str, deliveries: int, worker: str, payload: bytes
) -> list[str | bytes | int]:
    """Return the names and values of an entry; nothing of a secret payload is in it."""
    shown = b"" if lane.secret else payload
    digest = hashlib.sha256(shown).hexdigest() if shown else ""
    # what is no UTF-8, or was cut within a letter, is marked, so that the record can be read
    text = shown[:MOST_SHOWN].decode(errors="replace")
    return [
        "lane", lane.name, "cause", cause, "deliveries", deliveries, "worker", worker,
        "digest", digest, "payload", text,
    ]  # fmt: skip


def dead_letters(client: redis.Redis, most: int = 100) -> DeadLetters:
    """Return how many there are, and the latest.  Raises QueueUnavailable."""
    with borrowed(client) as link:
        count, entries = link.calls(
            ("XLEN", DEAD), ("XREVRANGE", DEAD, "+", "-", "COUNT", most)
        )  # fmt: skip
    match accepted(count), accepted(entries):
        case int(number), list(found):
            return DeadLetters(number, tuple(_letter(entry) for entry in found))
        case other:
            raise QueueUnavailable(f"Redis answered {other!r}")


def _letter(entry: object) -> DeadLetter:
    match entry:
        case [bytes(entry_id), list(fields)]:
            texts = [field for field in fields if isinstance(field, bytes)]
            return DeadLetter.decode(entry_id, dict(zip(texts[::2], texts[1::2], strict=True)))
        case _:
            raise MessageMalformed(f"not an entry: {entry!r}")

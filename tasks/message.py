"""What travels: a task to a worker, a reply back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from tasks.errors import MessageMalformed


@dataclass(frozen=True)
class Task:
    """One task as a worker gets it.

    `id` is the entry's id in the stream: its first part is the time of queueing in ms, by Redis's
    clock.  `budget_ms` counts from then on.  `reply_to` names the scatter that it belongs to.
    `is_copy`: of a task that some worker has, so that this one need not be delivered twice.
    `headers` are what its sender wants to be known about it, such as a request id; they change
    nothing about what is done.
    """

    id: str
    index: int
    budget_ms: int
    reply_to: str
    payload: bytes
    is_copy: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def queued_at_ms(self) -> int:
        """When the task was queued, by Redis's clock."""
        return int(self.id.partition("-")[0])

    def fields(self) -> dict[bytes, bytes]:
        """Return what `decode` reads: the fields of the stream's entry."""
        return {
            b"index": b"%d" % self.index,
            b"budget_ms": b"%d" % self.budget_ms,
            b"reply_to": self.reply_to.encode(),
            b"payload": self.payload,
            **({b"copy": b"1"} if self.is_copy else {}),
            **({b"headers": encode_headers(self.headers)} if self.headers else {}),
        }

    @classmethod
    def decode(cls, entry_id: bytes, fields: dict[bytes, bytes]) -> Self:
        """Read an entry of the stream.  Raises MessageMalformed."""
        try:
            task = cls(
                entry_id.decode("ascii"),
                int(fields[b"index"]),
                int(fields[b"budget_ms"]),
                fields[b"reply_to"].decode(),
                fields[b"payload"],
                b"copy" in fields,
                decode_headers(fields.get(b"headers", b"")),
            )
            if task.queued_at_ms < 0:
                raise ValueError("negative time")
        except (KeyError, ValueError) as error:
            raise MessageMalformed(f"entry {entry_id!r} is no task: {error}") from error
        return task


def encode_headers(headers: Mapping[str, str]) -> bytes:
    """Return headers as they travel; nothing for none."""
    return json.dumps(headers, separators=(",", ":")).encode() if headers else b""


def decode_headers(data: bytes) -> dict[str, str]:
    """Return the headers; none for what is none: a task is no worse for it."""
    try:
        found = json.loads(data) if data else {}
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


@dataclass(frozen=True)
class Reply:
    """A task's answer: a payload, or the error that took its place.

    `queued_s` is the time from queueing to start, `ran_s` the handler's run time, `attempt` counts
    from 1 how often the task was given to a worker.
    """

    index: int
    payload: bytes
    worker: str
    error: str | None
    queued_s: float
    ran_s: float
    attempt: int = 1

    def encode(self) -> bytes:
        """Return a line of JSON, then the payload as it is: payloads can be megabytes."""
        header = [self.index, self.worker, self.error, self.queued_s, self.ran_s, self.attempt]
        return json.dumps(header, separators=(",", ":")).encode() + b"\n" + self.payload

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.  Raises MessageMalformed."""
        header, _, payload = data.partition(b"\n")
        try:
            index, worker, error, *times = json.loads(header)
            return cls(index, payload, worker, error, *times)
        except (TypeError, ValueError) as reason:
            raise MessageMalformed(f"not a reply: {header[:80]!r}") from reason

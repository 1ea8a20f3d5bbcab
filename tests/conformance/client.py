"""Runs a case against a proxy, as a client of raw bytes."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from tests.conformance.backend import RecordingBackend, Seen
from tests.conformance.case import Case

_HEX = frozenset(b"0123456789abcdefABCDEF")
PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n"
FENCE = b"GET /fence HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `whole` is false when the connection ended, or fell silent, within its body."""

    status: int
    fields: tuple[bytes, ...]
    body: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """What a proxy made of a case; `afterwards`: its answer to another client."""

    answers: tuple[Answer, ...]
    closed: bool
    seen: tuple[Seen, ...]
    afterwards: Answer | None


class RawClient:
    """A connection to a proxy; nothing that comes, or doesn't, is an error here."""

    def __init__(self, address: tuple[str, int], patience_s: float) -> None:
        self._socket = socket.create_connection(address, timeout=patience_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send; a proxy that has closed already is no error."""
        with suppress(OSError):
            self._socket.sendall(data)

    def _more(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self.ended = not data
        self._data += data
        return bool(data)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._data:
            if not self._more():
                return None
        part, _, self._data = self._data.partition(end)
        return part

    def _take(self, size: int) -> bytes | None:
        while len(self._data) < size:
            if not self._more():
                return None
        part, self._data = self._data[:size], self._data[size:]
        return part

    def answer(self, *, to_head: bool = False) -> Answer | None:
        """Return the next answer, or None when none came."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        line, *lines = head.split(b"\r\n")
        words = line.split(b" ")
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        fields = {}
        for item in lines:
            name, _, value = item.partition(b":")
            fields[name.lower()] = value.strip()
        body: bytes | None = b""
        if not (to_head or status < 200 or status in {204, 304}):
            body = self._body(fields)
        shown = tuple(name.lower() + b": " + value.strip() for name, _, value in _split(lines))
        return Answer(status, shown, body or b"", body is not None)

    def _body(self, fields: dict[bytes, bytes]) -> bytes | None:
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            return self._chunks()
        if b"content-length" in fields:
            return self._take(int(fields[b"content-length"]))
        while self._more():
            pass
        body, self._data = self._data, b""
        return body if self.ended else None

    def _chunks(self) -> bytes | None:
        body = b""
        while line := self._until(b"\r\n"):
            size = line.partition(b";")[0]
            if not set(size) <= _HEX:
                return None
            if int(size, 16) == 0:
                while line := self._until(b"\r\n"):  # trailers, of peers that pass them on
                    pass
                return None if line is None else body
            part = self._take(int(size, 16) + 2)
            if part is None:
                return None
            body += part[:-2]
        return None


def _split(lines: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return [line.partition(b":") for line in lines]


def observe(
    case: Case, address: tuple[str, int], backend: RecordingBackend, patience_s: float
) -> Observation:
    """Run the case.  `patience_s`: silence after which no further byte is expected."""
    backend.begin(case.reply)
    answers: list[Answer] = []
    with RawClient(address, patience_s) as client:
        for number, piece in enumerate(case.send):
            if number == 1 and case.waits and (first := client.answer()) is not None:
                answers.append(first)
            client.send(piece)
        closed = True
        if not case.leaves:
            while len(answers) < len(case.statuses):
                answer = client.answer(to_head=case.to_head)
                if answer is None:
                    break
                answers.append(answer)
            # what comes after its answer comes before the next request, or would answer that
            _await_pieces(backend, patience_s)
            closed = _is_closed(client, answers, expected=case.closed)
    _await_pieces(backend, patience_s)
    # What the case made the proxy send is in the backend's hands before this one's answer.
    with RawClient(address, patience_s) as other:
        other.send(FENCE)
        answer = other.answer()
    return Observation(tuple(answers), closed, tuple(backend.seen), answer)


def _await_pieces(backend: RecordingBackend, patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while backend.writing and time.monotonic() < end:
        time.sleep(0.001)


def _is_closed(client: RawClient, answers: list[Answer], *, expected: bool) -> bool:
    """Find out by a further request, or by waiting; answers that nobody asked for are added."""
    if not expected:
        client.send(PROBE)
    while not client.ended:
        answer = client.answer()
        if answer is None:
            break
        if not expected and answer.body == b"/probe":
            return False
        answers.append(answer)
    return client.ended

"""Whatever bytes come, however split: one reading, and never another than a strict parser's.

h11 is the oracle.  What h11 refuses, the balancer refuses; what the balancer accepts, h11 accepts
and reads the same, both as it came and as it is forwarded.  The balancer may refuse more.
"""

from dataclasses import dataclass
from itertools import pairwise

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lb.wire.request_reader import RequestReader
from tests.conformance.case import PLAIN, chunked, get, post

MAX_HEAD = 4000
FORWARDING = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: "


@dataclass(frozen=True, slots=True)
class Message:
    """One request as a parser reads it; `fields` are those that no proxy adds or takes away."""

    method: bytes
    target: bytes
    host: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """All whole requests of a stream, what would be forwarded of them, and the refusal's status."""

    messages: tuple[Message, ...]
    forwarded: tuple[bytes, ...]
    status: int | None


def ours(*pieces: bytes) -> Reading:
    reader = RequestReader(max_line=1000, max_head=MAX_HEAD, max_body=10_000)
    for piece in pieces:
        reader.feed(piece)
    messages, forwarded = [], []
    for request in reader.requests:
        if request.complete:
            raw = request.serialise(FORWARDING, b"id") + request.take()
            seen = strict(raw)
            assert seen is not None, raw
            assert len(seen) == 1, raw
            messages += seen
            forwarded.append(raw)
    return Reading(
        tuple(messages),
        tuple(forwarded),
        None if reader.refusal is None else reader.refusal.status,
    )


def strict(raw: bytes) -> list[Message] | None:
    """Return the whole requests that h11 reads before the bytes end, or None if it refuses some."""
    messages: list[Message] = []
    goes_on = True
    while goes_on:
        # h11 knows no empty lines before a request, which RFC 9112 section 2.2 has a server ignore.
        while raw.startswith(b"\r\n"):
            raw = raw[2:]
        if raw in {b"", b"\r"}:
            break
        oracle = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        oracle.receive_data(raw)
        try:
            message = _next_message(oracle)
        except h11.RemoteProtocolError:
            return None
        if message is None:
            break
        messages.append(message)
        goes_on = oracle.their_state is not h11.MUST_CLOSE
        raw = oracle.trailing_data[0]
    return messages


def _next_message(oracle: h11.Connection) -> Message | None:
    head = oracle.next_event()
    if not isinstance(head, h11.Request):
        return None
    body = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        body += bytes(event.data)
    if not isinstance(event, h11.EndOfMessage):
        return None
    fields = tuple((name, value) for name, value in head.headers if name.startswith(b"z-"))
    host = dict(head.headers).get(b"host", b"")
    return Message(head.method, head.target, host, fields, body)


def split(raw: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[start:end] for start, end in pairwise(edges)]


names = st.text("abcXYZ-019", min_size=1, max_size=8).map(lambda name: f"Z-{name}".encode())
values = st.text("abc XYZ;=,\"'\t\xe9", max_size=12).map(lambda text: text.encode("latin-1"))
fields = st.lists(st.tuples(names, values).map(b": ".join), max_size=4)
targets = st.text("abc/?=&%20.-~_", max_size=12).map(lambda text: f"/{text}".encode())
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"])


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    raw = b""
    for part in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=3)):
        size = b"%x" % len(part) if draw(st.booleans()) else b"%03X" % len(part)
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b;c"']))
        raw += size + extension + b"\r\n" + part + b"\r\n"
    return raw + b"0\r\n" + draw(st.sampled_from([b"", b"T: 1\r\n"])) + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    lines = [b"Host: a.b:80", *draw(fields)]
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    body = b""
    if framing == "length":
        body = draw(st.binary(max_size=40))
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        body = draw(chunks())
        lines.append(b"Transfer-Encoding: chunked")
    head = draw(methods) + b" " + draw(targets) + b" HTTP/1.1\r\n"
    return head + b"\r\n".join(draw(st.permutations(lines))) + b"\r\n\r\n" + body


streams = st.lists(requests(), min_size=1, max_size=3).map(b"".join)
cuts = st.lists(st.integers(0, 2000), max_size=8)

# What makes parsers disagree, to be put anywhere.
SPOILERS = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\x00", b"\x0b", b"\x7f", b"\x80", b",",
    b";", b"0", b"-", b"+", b"x", b"chunked", b"\r\n ", b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"HTTP/1.1", b"\r\n0\r\n\r\n",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    raw = draw(streams)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        gone = draw(st.integers(0, 3))
        raw = raw[:at] + draw(st.sampled_from([b"", *SPOILERS])) + raw[at + gone :]
    return raw


@given(streams, cuts)
@settings(max_examples=150, deadline=None)
def test_any_split_of_a_valid_stream_is_read_as_h11_reads_it(raw: bytes, at: list[int]) -> None:
    reading = ours(*split(raw, at))
    assert reading.status is None
    assert list(reading.messages) == strict(raw)
    assert reading == ours(raw)


@given(mutated(), cuts)
@settings(max_examples=300, deadline=None)
@example(chunked(b"3\r\nabc\r\n0\r\n\r\n")[:-1], [40])
@example(get(b"X: a\rb"), [30])
def test_any_split_of_a_spoilt_stream_has_the_same_outcome(raw: bytes, at: list[int]) -> None:
    whole, pieces = ours(raw), ours(*split(raw, at))
    assert pieces.forwarded == whole.forwarded
    # Of several faults, which one is named may depend on what came first.
    assert (pieces.status is None) == (whole.status is None)


@given(mutated())
@settings(max_examples=400, deadline=None)
@example(get() + b" ")
@example(post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"))
@example(PLAIN + b"X : 1\r\n\r\n")
@example(b"GET / HTTP/1.1\nHost: a\n\n")
def test_nothing_is_accepted_that_h11_refuses_or_reads_otherwise(raw: bytes) -> None:
    reading = ours(raw)
    seen = strict(raw)
    if seen is None:
        # h11 refuses some heads at their first byte, the balancer at their end at the latest.
        assert ours(raw + b"\r\n\r\n").status is not None
    else:
        assert list(reading.messages) == seen[: len(reading.messages)]
        assert reading.status is not None or len(reading.messages) == len(seen)

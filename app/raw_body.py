"""A request's body piece by piece, in constant memory, whatever its size."""

from collections.abc import Iterator
from typing import Any, Protocol

from flask import request
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from app.body_streams import BodyStreams
from app.problem_types import BAD_REQUEST, BODY_TOO_LARGE, TOO_MANY_BODIES
from app.problems import Problem
from app.services import services

PIECE_BYTES = 1024 * 1024
# The balancer sends on a smaller body only once all of it is there: nobody waits for its sender.
SMALL_BYTES = 64 * 1024


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def pieces(max_bytes: int, setting: str) -> Iterator[bytes]:
    """Return the current request's body, as it arrives, at most PIECE_BYTES at once.

    The request is looked at now, so the pieces may be taken while the response is sent.
    `max_bytes` 0: of any size; `setting` names where that limit is set.  Raises Problem: 413
    before anything is read when the announced length is too large, else once too much has come;
    400 when the body ends early or its framing is wrong; 503 when it is not small, and so many are
    being received that no thread can be spared for another.
    """
    length = request.content_length
    if max_bytes and length is not None and length > max_bytes:
        raise _too_large(max_bytes, setting)
    found = _bounded(request.environ["wsgi.input"], length, max_bytes, setting)
    return _placed(found, length, services().body_streams)


def _placed(found: Iterator[bytes], length: int | None, streams: BodyStreams) -> Iterator[bytes]:
    size = length or 0
    placed = False
    try:
        while True:
            if size > SMALL_BYTES and not placed:
                placed = streams.take_place()
                if not placed:
                    raise _too_many(streams.most)
            piece = next(found, None)
            if piece is None:
                return
            if length is None:
                size += len(piece)
            yield piece
    finally:
        if placed:
            streams.give_place_back()


def _bounded(body: Any, length: int | None, max_bytes: int, setting: str) -> Iterator[bytes]:
    size = 0
    for piece in _read(body):
        size += len(piece)
        if max_bytes and size > max_bytes:
            raise _too_large(max_bytes, setting)
        yield piece
    if length is not None and size < length:
        body.failed = True  # gunicorn must not look for another request on this connection
        raise Problem(BAD_REQUEST, f"The body ended after {size} of {length} bytes.")


def _read(body: Any) -> Iterator[bytes]:
    try:
        reader = getattr(body, "reader", None)
        if isinstance(reader, LengthReader):
            yield from _of_known_length(reader)
        elif isinstance(reader, ChunkedReader):
            yield from reader.parser or ()
        else:
            yield from _plain(body)
    except (ParseException, OSError) as error:
        # where the next request would start is unknown: gunicorn then closes the connection
        body.failed = True
        detail = "The body is cut off, or its chunks are malformed."
        raise Problem(BAD_REQUEST, detail) from error


def _of_known_length(reader: Any) -> Iterator[bytes]:
    """Yield what each receive brings.

    gunicorn's own `read` copies each byte twice more and waits until a whole piece is there: a
    batch would be answered only when the next megabyte has come.
    """
    while reader.length > 0:
        piece = reader.unreader.read(None, read_ahead=reader.length)
        if not piece:
            return
        if len(piece) > reader.length:  # the next request of the connection has begun to come
            reader.unreader.unread(piece[reader.length :])
            piece = piece[: reader.length]
        reader.length -= len(piece)
        yield piece


def _plain(body: _Readable) -> Iterator[bytes]:
    while piece := body.read(PIECE_BYTES):
        yield piece


def _too_many(most: int) -> Problem:
    return Problem(
        TOO_MANY_BODIES,
        f"The replica receives {most} large bodies already (MILLRACE_APP_BODY_STREAMS). Try again.",
        retry_after_s=1.0,
    )


def _too_large(max_bytes: int, setting: str) -> Problem:
    return Problem(
        BODY_TOO_LARGE, f"The body is larger than {max_bytes} bytes ({setting}). Send less at once."
    )

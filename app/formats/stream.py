"""An answer on its way to its client: begun, streamed, and recognisably ended or broken off."""

import errno
import socket
import time
from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from app.formats.arrow import ArrowWriter
from app.formats.choice import ARROW, CSV, NDJSON, Format
from app.formats.compression import compressed
from app.formats.csv_text import csv_pieces
from app.formats.ndjson import line, ndjson_pieces
from app.problem_table import problem_for
from app.problem_types import INTERNAL_ERROR
from app.problems import Problem
from app.queries.control import Control
from app.queries.open_answer import OpenAnswer

LAST_WORDS_S = 1.0  # to send what went wrong, when the time is over
TRAILERS = ("Millrace-Row-Count", "Millrace-Truncated", "Millrace-Complete")

_log = structlog.stdlib.get_logger("app.formats")


class StreamBroken(ConnectionResetError):
    """The answer ends before its end, and its connection with it.

    gunicorn takes it for the client's own leaving: it closes without the last chunk, by which the
    client knows, and without a second log entry.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the answer was broken off")


@dataclass(frozen=True)
class Streaming:
    """How an answer is to be sent.  `trailers` is where the server looks after the last chunk."""

    format: Format
    encoding: str | None
    query_id: str
    numbers_as_strings: bool
    client: socket.socket | None
    trailers: MutableMapping[str, str]


class AnswerStream:
    """The body of a streamed answer: begin(), then iterate; close() in every case.

    `opened` opens the answer, and holds its transaction until it is left.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[tuple[OpenAnswer, Control]]],
        streaming: Streaming,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened = opened
        self._streaming = streaming
        self._source = compressed(self._pieces(), streaming.encoding)
        self._monotonic = monotonic
        self._first = b""
        self._control: Control | None = None

    def begin(self) -> None:
        """Wait for the first bytes.  Raises what opening the answer raises, and Problem."""
        self._first = next(self._source, b"")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body.  Raises StreamBroken, and OSError for a client that takes nothing."""
        yield from self._sending(self._first)
        try:
            for piece in self._source:
                yield from self._sending(piece)
        except OSError:
            raise
        except Exception as error:
            raise StreamBroken from error

    def close(self) -> None:
        """Stop what runs, and give its connection back."""
        self._source.close()

    def _sending(self, piece: bytes) -> Iterator[bytes]:
        """Yield `piece`, to be sent before the deadline: a client may stop taking it."""
        if piece:
            client, control = self._streaming.client, self._control
            if client is not None and control is not None:
                left_s = control.deadline - self._monotonic()
                client.settimeout(left_s if left_s > 0 else LAST_WORDS_S)
            yield piece

    def _pieces(self) -> Generator[bytes, None, None]:
        begun = False
        try:
            with self._opened() as (answer, self._control):
                for piece in self._formatted(answer):
                    yield piece
                    begun = True
                self._streaming.trailers.update(
                    zip(
                        TRAILERS,
                        (str(answer.row_count), str(answer.truncated).lower(), "true"),
                        strict=True,
                    )
                )
        except Exception as error:
            if not begun:
                raise
            yield self._told(error)
            raise

    def _formatted(self, answer: OpenAnswer) -> Iterator[bytes]:
        streaming = self._streaming
        if streaming.format is CSV:
            return csv_pieces(answer)
        if streaming.format is ARROW:
            return ArrowWriter(answer, streaming.query_id).pieces()
        return ndjson_pieces(
            answer, streaming.query_id, numbers_as_strings=streaming.numbers_as_strings
        )

    def _told(self, error: Exception) -> bytes:
        """Log the error, and return it as the format's last bytes, where it has a place for it."""
        problem = problem_for(error)
        if problem is None:
            _log.error("unexpected error", request_id=self._streaming.query_id, exc_info=error)
            problem = Problem(INTERNAL_ERROR, "The replica failed while it answered.")
        _log.info(
            "answer broken off", request_id=self._streaming.query_id, problem=problem.kind.slug
        )
        if self._streaming.format is not NDJSON:
            return b""
        return line({"error": problem.document(self._streaming.query_id)})

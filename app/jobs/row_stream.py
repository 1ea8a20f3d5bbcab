"""The rows that a job has left, on their way to a client: whole, or recognisably broken off."""

import json
import socket
from collections.abc import Callable, Generator, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace

import structlog

from app.formats.choice import CSV, Format
from app.formats.compression import compressed
from app.formats.ndjson import line
from app.formats.stream import TRAILERS, StreamBroken
from app.jobs.row_text import csv_line, csv_text, ndjson_text
from app.problem_table import problem_document
from app.problem_types import JOB_NOT_DONE
from app.problems import Problem
from jobs.output import Output, Piece
from jobs.record import Job

STALL_S = 60.0  # a client that takes nothing for so long has gone

_log = structlog.stdlib.get_logger("app.jobs")


@dataclass(frozen=True)
class RowsAsked:
    """Which rows of a job, and in which form; `limit` None: all from the one numbered `offset` on.

    `trailers` is where the server looks after the last chunk, `client` the connection.
    """

    stream: str
    columns: Sequence[str]
    offset: int
    limit: int | None
    format: Format
    encoding: str | None
    request_id: str
    client: socket.socket | None
    trailers: MutableMapping[str, str]


class RowStream:
    """The body of an answer: begin(), then iterate; close() in every case.

    Of a job that is not done come the rows up to the first task that may still leave some, so that
    a later request goes on exactly behind them.  `find` looks the job up again: rows that were
    read while somebody had it retried, or forgot it, are not all there, or not of one result.
    """

    def __init__(
        self, output: Output, find: Callable[[str], Job | None], job: Job, asked: RowsAsked
    ) -> None:
        self._output = output
        self._find = find
        self._job = job
        self._asked = asked
        self._source = compressed(self._told_of_errors(), asked.encoding)
        self._first = b""

    def begin(self) -> None:
        """Wait for the first bytes.  Raises what reading raises."""
        self._first = next(self._source, b"")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body.  Raises StreamBroken, and OSError for a client that takes nothing."""
        if self._asked.client is not None:
            self._asked.client.settimeout(STALL_S)
        yield self._first
        try:
            yield from self._source
        except OSError:
            raise
        except Exception as error:
            raise StreamBroken from error

    def close(self) -> None:
        """Read no further."""
        self._source.close()

    def _told_of_errors(self) -> Generator[bytes, None, None]:
        begun = False
        try:
            for piece in self._pieces():
                yield piece
                begun = True
        except Exception as error:
            if not begun:
                raise
            document = problem_document(error, self._asked.request_id)
            _log.info("rows broken off", job=self._job.id, problem=document["type"])
            if self._asked.format is not CSV:
                yield line({"error": document})
            raise

    def _pieces(self) -> Iterator[bytes]:
        asked, job = self._asked, self._job
        before = None if job.state == "done" else self._output.first_unfinished(job.id)
        total = self._output.count(job.id, asked.stream, before)
        end = total if asked.limit is None else min(total, asked.offset + asked.limit)
        yield self._head()
        sent = 0
        for piece in self._rows(before, end):
            sent += piece.count
            if asked.format is CSV:
                yield csv_text(piece, len(asked.columns)).encode()
            else:
                yield ndjson_text(piece).encode()
        if sent != max(0, end - asked.offset) or not self._is_unchanged():
            raise Problem(
                JOB_NOT_DONE,
                "The job was retried or forgotten while its rows were read. Read them again.",
            )
        yield self._end(sent, is_truncated=end < total or job.state != "done")

    def _rows(self, before: int | None, end: int) -> Iterator[Piece]:
        """Yield the pieces between `offset` and `end`, the first and the last perhaps cut."""
        asked = self._asked
        after, place = self._output.seek(self._job.id, asked.stream, asked.offset, before)
        if place >= end:
            return
        for piece in self._output.pieces(self._job.id, asked.stream, after, before):
            start, stop = max(0, asked.offset - place), min(piece.count, end - place)
            place += piece.count
            if (start, stop) == (0, piece.count):
                yield piece
            else:
                yield replace(piece, count=stop - start, text=_part(piece, start, stop))
            if place >= end:
                return

    def _is_unchanged(self) -> bool:
        if self._job.state != "done":
            return self._find(self._job.id) is not None
        now = self._find(self._job.id)
        return now is not None and now.finished_at == self._job.finished_at

    def _head(self) -> bytes:
        asked = self._asked
        if asked.format is CSV:
            return csv_line(asked.columns).encode()
        columns = [{"name": name} for name in asked.columns]
        return line({"job": self._job.id, "stream": asked.stream, "columns": columns})

    def _end(self, sent: int, *, is_truncated: bool) -> bytes:
        values = (str(sent), str(is_truncated).lower(), "true")
        self._asked.trailers.update(zip(TRAILERS, values, strict=True))
        if self._asked.format is CSV:
            return b""
        return line(
            {
                "row_count": sent,
                "truncated": is_truncated,
                "complete": True,
                "state": self._job.state,
            }
        )


def _part(piece: Piece, start: int, stop: int) -> str:
    return json.dumps(piece.rows[start:stop], ensure_ascii=False, separators=(",", ":"))

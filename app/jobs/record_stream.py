"""Records of a job's failed rows as they were sent, on their way to a client."""

import base64
import socket
from collections.abc import Callable, Iterator

import structlog

from app.formats.stream import StreamBroken
from app.jobs.row_stream import STALL_S
from jobs.output import Output, Piece
from jobs.record import Job

_log = structlog.stdlib.get_logger("app.jobs")


class RecordStream:
    """The body of an answer: begin(), then iterate; each record with a line end.

    The connection ends before the body does when the records cannot be read any further, or are no
    longer those of one state of the job, which `find` looks up again.
    """

    def __init__(
        self,
        output: Output,
        find: Callable[[str], Job | None],
        job: Job,
        stream: str,
        client: socket.socket | None,
    ) -> None:
        self._find = find
        self._job = job
        self._client = client
        self._pieces = output.pieces(job.id, stream)
        self._first: list[bytes] = []

    def begin(self) -> None:
        """Wait for the first records.  Raises what reading raises."""
        self._first = list(_records(next(self._pieces, None)))

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body.  Raises StreamBroken, and OSError for a client that takes nothing."""
        if self._client is not None:
            self._client.settimeout(STALL_S)
        yield b"".join(self._first)
        try:
            for piece in self._pieces:
                yield b"".join(_records(piece))
            now = self._find(self._job.id)
        except OSError:
            raise
        except Exception as error:
            _log.info("records broken off", job=self._job.id, error=str(error))
            raise StreamBroken from error
        if now is None or now.finished_at != self._job.finished_at:
            raise StreamBroken


def _records(piece: Piece | None) -> Iterator[bytes]:
    for _, record in () if piece is None else piece.rows:
        yield base64.b64decode(record) + b"\n"

"""What a task leaves behind of its rows: digests, failed rows, and the records of those."""

import base64
from collections.abc import Callable, Sequence

from db.pool import Connection
from jobs.output import PackedRows, write_packed
from jobs.record import TaskClaim
from worker.rows.batch import Batch, FailedRow, shown

RESULT, ERRORS, RECORDS = "result", "errors", "failed_records"
PIECE_ROWS = 8192

Write = Callable[[str, int, PackedRows], None]
"""Takes a piece: its stream, its number in that, its rows."""


class Results:
    """Gathers the rows of one attempt and packs them, a piece whenever one is full.

    Pieces go to `write` at once; without it they wait for `effects`.  `keeps_records`: failed rows
    have records that can be sent again.
    """

    def __init__(
        self,
        digests: Callable[[Sequence[bytes]], list[str]],
        encoding: str,
        write: Write | None = None,
        *,
        keeps_records: bool = False,
    ) -> None:
        self._keeps_records = keeps_records
        self._digests = digests
        self._encoding = encoding
        self._waiting: list[tuple[str, int, PackedRows]] = []
        self._write = write or self._keep
        self._rows: list[str] = []
        self._failed: list[FailedRow] = []
        self._pieces = {RESULT: 0, ERRORS: 0, RECORDS: 0}
        self.rows = 0
        self.failed_rows = 0

    def add(self, batch: Batch) -> None:
        """Hash the rows of a batch."""
        digests = self._digests(batch.values)
        # half of the time that json takes for it; digests hold nothing that JSON would escape
        self._rows += map('[%d,"%s"]'.__mod__, zip(batch.numbers, digests, strict=True))
        self._failed += batch.failed
        self.rows += len(digests) + len(batch.failed)
        self.failed_rows += len(batch.failed)
        if len(self._rows) >= PIECE_ROWS:
            self._flush_rows()
        if len(self._failed) >= PIECE_ROWS:
            self._flush_failed()

    def finish(self) -> None:
        """Pack what is left."""
        if self._rows:
            self._flush_rows()
        if self._failed:
            self._flush_failed()

    def effects(self, claim: TaskClaim) -> Callable[[Connection], None]:
        """Return what writes all pieces, in the transaction that marks the task done."""

        def write(connection: Connection) -> None:
            for stream, number, rows in self._waiting:
                write_packed(connection, claim, stream, number, rows)

        return write

    def _keep(self, stream: str, number: int, rows: PackedRows) -> None:
        self._waiting.append((stream, number, rows))

    def _put(self, stream: str, rows: PackedRows) -> None:
        self._write(stream, self._pieces[stream], rows)
        self._pieces[stream] += 1

    def _flush_rows(self) -> None:
        for start in range(0, len(self._rows), PIECE_ROWS):
            self._put(RESULT, PackedRows.of_texts(self._rows[start : start + PIECE_ROWS]))
        self._rows = []

    def _flush_failed(self) -> None:
        self._put(ERRORS, PackedRows.of([error_row(one, self._encoding) for one in self._failed]))
        if self._keeps_records:
            self._put(RECORDS, PackedRows.of([record_row(one) for one in self._failed]))
        self._failed = []


def error_row(failed: FailedRow, encoding: str) -> list[int | str | None]:
    """Return a row of the stream `errors`; a file without lines has no line."""
    return [failed.row, failed.line or None, failed.reason, shown(failed.record, encoding)]


def record_row(failed: FailedRow) -> list[int | str]:
    """Return a row of the stream `failed_records`: its number, and its bytes in base64."""
    return [failed.row, base64.b64encode(failed.record).decode()]

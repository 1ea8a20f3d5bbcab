"""The kind of job that hashes the rows of a file.

Tasks: `open` verifies and unpacks the file and finds its columns; `scan` finds where stretches of
records begin, and adds a task `rows` for each; `groups` does for Parquet what `rows` does for text;
`match` and `correct` hash corrected records in the place of those that failed; `finish` counts.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from db.database import Database
from db.pool import Connection
from hashing.digester import Digester
from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from jobs.kind import Done, Kind
from jobs.output import Output
from jobs.record import NewTask, TaskClaim
from jobs.retry import RetryPolicy
from jobs.settings import JobSettings
from jobs.upload_errors import DigestWrong, UploadUnknown
from jobs.uploads import Uploads
from worker.rows.batch import RowReader
from worker.rows.corrections import Corrections
from worker.rows.csv_rows import CsvRows, cells_of, csv_form
from worker.rows.ndjson_rows import NdjsonRows
from worker.rows.parquet_rows import ParquetRows
from worker.rows.records import Lines, RecordFormat
from worker.rows.results import ERRORS, Results
from worker.rows.scanner import Broken, Place, stretches, windows
from worker.rows.spec import FileSpec, RowDigester, checked_names
from worker.rows.unpacking import compression_of, unpack

STRETCH_BYTES = 8 * 1024 * 1024
STRETCHES_AT_ONCE = 32  # of one scan: others hash already while the next one goes on
HASH_WINDOW_BYTES = 1024 * 1024  # Arrow has a price for each
GROUP_ROWS = 100_000  # of Parquet, for one task, where its row groups are small
FIRST_RECORDS = 1000  # that are looked at for one that tells the number of cells
MARK = b"\xef\xbb\xbf"  # of UTF-8, which some programs write before the first line

# added with the last rows: who reads a result that is not whole reads up to the first task that is
# not done
FINISH = NewTask("finish", is_last=True)

_COUNT = """SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM job_tasks
 WHERE job_id = $1 AND state = 'done' AND name IN ('open', 'rows', 'groups')"""


@dataclass(frozen=True)
class Source:
    """The plain file, and what its first record told: fixed when it was opened, for all tasks.

    `columns` are 0-based cells of a CSV, names else; `fields` is how many cells a CSV row has.
    """

    upload: str
    limit: int
    fields: int
    columns: Sequence[Any]


class HashRows(Kind):
    """See the module."""

    name: ClassVar[str] = "hash_rows"
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_s=0.5, cap_s=60.0)

    def __init__(
        self,
        own: Database,
        settings: JobSettings,
        keys: Mapping[str, bytes],
        digester: Digester,
        uploads: Uploads,
    ) -> None:
        self._own = own
        self._settings = settings
        self._keys = keys
        self._digester = digester
        self._uploads = uploads
        self._output = Output(own)
        self._corrections = Corrections(own)

    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:
        """Add the first task."""
        context.check()
        RowDigester(parameters, self._keys, self._digester)  # raises where that cannot be
        return Done(adds=[NewTask("open")])

    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        """Do one task."""
        run = {
            "open": self._open,
            "scan": self._scan,
            "rows": self._rows,
            "groups": self._groups,
            "match": self._match,
            "correct": self._correct,
            "finish": self._finish,
        }[task.name]
        try:
            return run(task, context)
        except UploadUnknown as error:
            raise PermanentFailure("The upload is gone.", "UploadUnknown") from error

    def _open(self, task: TaskClaim, context: TaskContext) -> Done:
        spec = FileSpec.read(task.job_parameters)
        try:
            self._uploads.verify(spec.upload, context.check)
        except DigestWrong as error:
            raise PermanentFailure(str(error), "DigestWrong") from error
        head = next(self._uploads.read(spec.upload, 0, 4), b"")
        compression = compression_of(head) if spec.compression == "auto" else spec.compression
        if compression == "none":
            plain = spec.upload
        else:
            plain = hashlib.sha256(f"unpacked {task.job_id}".encode()).hexdigest()[:32]

            def check(size: int) -> None:
                context.report(0, size)
                context.check()

            most = self._settings.max_unpacked_bytes
            size = unpack(self._own, self._uploads, spec.upload, compression, plain, most, check)
            context.log(f"{compression} unpacked to {size} bytes")

        def effects(connection: Connection) -> None:
            if plain != spec.upload:
                self._uploads.attach(connection, plain, task.job_id)

        upload = self._uploads.find(plain)
        size = 0 if upload is None else upload.size
        if spec.format == "parquet":
            adds, rows = self._parquet_tasks(spec, plain)
            return Done(effects, adds, expected_bytes=size, expected_rows=rows)
        scan, header_bytes = self._first_scan(spec, plain)
        return Done(effects, [scan], bytes=header_bytes, expected_bytes=size)

    def _parquet_tasks(self, spec: FileSpec, plain: str) -> tuple[list[NewTask], int]:
        file = self._parquet(spec, plain)
        most = self._settings.max_unpacked_bytes
        if file.unpacked_bytes > most:
            reason = f"Unpacked, the file has more than {most} bytes"
            raise PermanentFailure(f"{reason} (MILLRACE_JOBS_MAX_UNPACKED_BYTES).", "FileTooLarge")
        tasks: list[NewTask] = []
        groups: list[int] = []
        row, held = 1, 0
        for number, rows in enumerate(file.group_rows):
            groups.append(number)
            held += rows
            if held >= GROUP_ROWS or number + 1 == len(file.group_rows):
                parameters = {"upload": plain, "groups": groups, "row": row, "rows": held}
                tasks.append(NewTask("groups", parameters))
                row, held, groups = row + held, 0, []
        return [*tasks, FINISH], row - 1

    def _parquet(self, spec: FileSpec, plain: str) -> ParquetRows:
        return ParquetRows(self._uploads.open(plain), spec.columns, spec.row_encoding)

    def _first_scan(self, spec: FileSpec, plain: str) -> tuple[NewTask, int]:
        """Return the task that finds the first rows, and how many bytes are before those."""
        limit = self._settings.max_record_bytes
        head = next(self._uploads.read(plain, 0, len(MARK)), b"")
        is_marked = head == MARK and spec.encoding == "utf-8"
        at = Place(len(MARK) if is_marked else 0)
        if spec.format == "ndjson":
            source = Source(plain, limit, 0, list(spec.columns or []))
        else:
            at, source = self._csv_source(spec, plain, limit, at)
        return NewTask("scan", {"source": asdict(source), "at": asdict(at)}), at.offset

    def _csv_source(
        self, spec: FileSpec, plain: str, limit: int, at: Place
    ) -> tuple[Place, Source]:
        """Return where the rows begin, and which cells they have."""
        form = csv_form(spec.csv, limit)
        first, after = self._first_record(form, plain, at, spec)
        if first is None:
            return at, Source(plain, limit, 1, [0])  # no rows
        cells = [cell or "" for cell in cells_of(first, spec.csv)]
        begin = Place(after.offset, 1, after.line) if spec.csv.header else at
        return begin, Source(plain, limit, len(cells), positions(spec, cells))

    def _first_record(
        self, form: RecordFormat, plain: str, at: Place, spec: FileSpec
    ) -> tuple[str | None, Place]:
        """Return the first record that can be read, and where the next one begins.

        A header must be the very first.
        """
        pieces = self._uploads.read(plain, at.offset)
        # windows of one byte: each holds one record
        for window in windows(pieces, form, at, window_bytes=1):
            record = (window.records or form.split(window.data))[0]
            reason = record.reason if isinstance(record, Broken) else None
            if not isinstance(record, Broken):
                try:
                    return record.decode(spec.csv.encoding), window.after
                except UnicodeDecodeError as error:
                    reason = f"no valid {spec.csv.encoding}: {error.reason}"
            if spec.csv.header:
                raise PermanentFailure(f"The header cannot be read: {reason}.", "HeaderUnreadable")
            if window.at.row >= FIRST_RECORDS:
                reason = f"None of the first {FIRST_RECORDS} records can be read: {reason}."
                raise PermanentFailure(reason, "FileUnreadable")
        return None, at

    def _scan(self, task: TaskClaim, context: TaskContext) -> Done:
        source, at = Source(**task.parameters["source"]), Place(**task.parameters["at"])
        form = self._form(FileSpec.read(task.job_parameters), source.limit)
        found: list[NewTask] = []
        pieces = self._checked(self._uploads.read(source.upload, at.offset), context)
        last = at
        is_whole = True
        for first, last in stretches(windows(pieces, form, at), STRETCH_BYTES):
            place = {"source": asdict(source), "at": asdict(first), "end": last.offset}
            found.append(NewTask("rows", place))
            if len(found) == STRETCHES_AT_ONCE:
                is_whole = False
                break
        if is_whole:
            return Done(adds=[*found, FINISH], expected_rows=last.row - 1)
        rest = NewTask("scan", {"source": asdict(source), "at": asdict(last)})
        # the rest first: its turn is before the rows', and their results are in order anyway,
        # since all numbers of later tasks are higher
        return Done(adds=[rest, *found])

    def _rows(self, task: TaskClaim, context: TaskContext) -> Done:
        source, at = Source(**task.parameters["source"]), Place(**task.parameters["at"])
        spec = FileSpec.read(task.job_parameters)
        reader = self._reader(spec, source)
        results = self._results(task, spec)
        size = task.parameters["end"] - at.offset
        pieces = self._checked(
            self._uploads.read(source.upload, at.offset, task.parameters["end"]), context
        )
        for window in windows(pieces, reader.form, at, HASH_WINDOW_BYTES):
            results.add(reader.read(window))
            context.report(results.rows, window.after.offset - at.offset)
            context.check()
        return self._done(task, context, results, size)

    def _groups(self, task: TaskClaim, context: TaskContext) -> Done:
        given = task.parameters
        spec = FileSpec.read(task.job_parameters)
        file = self._parquet(spec, given["upload"])
        results = self._results(task, spec)
        for batch in file.batches(given["groups"], given["row"]):
            results.add(batch)
            context.report(results.rows)
            context.check()
        if results.rows != given["rows"]:
            reason = "The Parquet has other rows than its row groups say."
            raise PermanentFailure(reason, "FileUnreadable")
        upload = self._uploads.find(given["upload"])
        total = sum(file.group_rows) or 1
        size = 0 if upload is None else upload.size
        before = given["row"] - 1
        # its share, so that all shares are the file
        share = size * (before + results.rows) // total - size * before // total
        return self._done(task, context, results, share)

    def _results(self, task: TaskClaim, spec: FileSpec) -> Results:
        digester = RowDigester(task.job_parameters, self._keys, self._digester)
        keeps_records = spec.format != "parquet"
        return Results(digester.texts, spec.encoding, keeps_records=keeps_records)

    @staticmethod
    def _done(task: TaskClaim, context: TaskContext, results: Results, size: int) -> Done:
        results.finish()
        if results.failed_rows:
            context.log(f"{results.failed_rows} of {results.rows} rows failed", "warning")
        return Done(results.effects(task), rows=results.rows, bytes=size)

    @staticmethod
    def _form(spec: FileSpec, limit: int) -> RecordFormat:
        return Lines(limit) if spec.format == "ndjson" else csv_form(spec.csv, limit)

    def _reader(self, spec: FileSpec, source: Source) -> RowReader:
        if spec.format == "ndjson":
            return NdjsonRows(spec.row_encoding, source.limit, source.columns)
        return CsvRows(spec.csv, spec.row_encoding, source.limit, source.fields, source.columns)

    @staticmethod
    def _checked(pieces: Iterator[bytes], context: TaskContext) -> Iterator[bytes]:
        for piece in pieces:
            context.check()
            yield piece

    def _match(self, task: TaskClaim, context: TaskContext) -> Done:
        upload = task.parameters["upload"]
        try:
            self._uploads.verify(upload, context.check)
        except DigestWrong as error:
            raise PermanentFailure(str(error), "DigestWrong") from error
        limit = self._settings.max_record_bytes
        form = self._form(FileSpec.read(task.job_parameters), limit)
        pieces = self._checked(self._uploads.read(upload), context)
        found = windows(pieces, form, window_bytes=1)
        return self._corrections.match(task, found, {"upload": upload, "limit": limit}, context)

    def _correct(self, task: TaskClaim, context: TaskContext) -> Done:
        given = task.parameters
        spec = FileSpec.read(task.job_parameters)
        known = self._corrections.source_of(task.job_id, given["task"])
        source = Source(**known | {"limit": given["limit"]})
        reader = self._reader(spec, source)
        pieces = self._uploads.read(given["upload"], given["start"], given["end"])
        found = windows(self._checked(pieces, context), reader.form, window_bytes=1)
        digester = RowDigester(task.job_parameters, self._keys, self._digester)
        return self._corrections.correct(
            task, map(reader.read, found), digester.texts, spec.encoding
        )

    def _finish(self, task: TaskClaim, context: TaskContext) -> Done:
        context.check()
        with self._own.connection() as connection:
            row = connection.execute(_COUNT, [task.job_id]).fetchone() or ("0", "0")
        rows, size = (int(value or 0) for value in row)
        failed = self._output.count(task.job_id, ERRORS)
        summary: dict[str, Any] = {
            "rows": rows, "hashed_rows": rows - failed, "failed_rows": failed, "bytes": size,
        }  # fmt: skip
        correction = self._corrections.last_match(task.job_id)
        if correction is not None:
            summary["correction"] = correction
        return Done(result=json.dumps(summary))


def positions(spec: FileSpec, cells: Sequence[str]) -> list[int]:
    """Return which cells are hashed, from 0; `cells` are the header's or those of a first row.

    Raises PermanentFailure where there are no such columns.
    """
    if spec.columns is None:
        if spec.row_encoding == "value" and len(cells) != 1:
            reason = f"There are {len(cells)} columns; name the one whose values are hashed."
            raise PermanentFailure(reason, "ColumnUnknown")
        return list(range(len(cells)))
    if spec.csv.header:
        return [cells.index(name) for name in checked_names(cells, map(str, spec.columns))]
    found = [int(position) - 1 for position in spec.columns]
    if max(found) >= len(cells):
        reason = f"There is no column {max(found) + 1}; there are {len(cells)}."
        raise PermanentFailure(reason, "ColumnUnknown")
    return found

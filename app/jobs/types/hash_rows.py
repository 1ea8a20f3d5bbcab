"""The replica's side of the kind `hash_rows`; see worker.rows.hash_rows."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from app.jobs.job_type import JobTools, JobType, refused, wrong_parameter
from app.jobs.types.hash_options import HashOptions, shown_hash
from app.models import RequestModel
from db.pool import Connection
from jobs.errors import NotPossible
from jobs.extension import extend
from jobs.record import Job, NewTask
from jobs.service import Jobs
from jobs.upload_record import Upload
from jobs.uploads import Uploads

MOST_COLUMNS = 1600
CORRECTION_ATTEMPTS = 5

# of one byte a character, or UTF-8: in others a byte of a character may look like a delimiter
CsvEncoding = Literal[
    "utf-8", "ascii", "latin-1", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252"
]
Sign = Annotated[str, Field(pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x7f]$")]


class CsvParameters(RequestModel):
    """How a CSV is written."""

    delimiter: Sign = Field(default=",", description="One ASCII character between cells.")
    quote: Sign | None = Field(
        default='"',
        description="The ASCII character around cells that hold others of these; within a cell it "
        "is written twice. null: there is none.",
    )
    header: bool = Field(default=True, description="Whether the first record names the columns.")
    encoding: CsvEncoding = Field(default="utf-8", description="How its text is encoded.")
    null: str | None = Field(
        default=None, description="What a cell without quotes says that means NULL; null: nothing."
    )


class HashRowsParameters(HashOptions):
    """What to hash, and how."""

    upload: str = Field(description="Id of a complete upload: the file.")
    format: Literal["csv", "ndjson", "parquet"] = Field(description="The file's format.")
    compression: Literal["auto", "none", "gzip", "zstd"] = Field(
        default="auto", description="The file's compression; `auto`: its first bytes tell."
    )
    csv: CsvParameters | None = Field(default=None, description="Of a CSV: how it is written.")
    columns: list[str | Annotated[int, Field(ge=1)]] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_COLUMNS,
        description="What is hashed of a row, in this order: names, or places from 1 in a CSV "
        "without header. All, when it is left out; NDJSON has no order, so it must name them.",
    )
    row_encoding: Literal["canonical", "raw", "value"] = Field(
        default="canonical",
        description="What is hashed of a row: its canonical encoding; `raw`: the record's own "
        "bytes without its line end; `value`: the bytes of its one column.",
    )


class HashRowsType(JobType[HashRowsParameters]):
    """Takes a file's rows in."""

    name = "hash_rows"
    summary = "Hashes each row of a CSV, NDJSON or Parquet file."
    parameters = HashRowsParameters
    streams: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "result": ("row", "digest"),
        "errors": ("row", "line", "reason", "text"),
        "failed_records": ("row", "record"),
    }
    file_parameter = "upload"
    records_stream = "failed_records"

    def __init__(self, tools: JobTools) -> None:
        self._own = tools.own
        self._uploads: Uploads = tools.uploads
        self._keys = tools.hash_keys

    def accept(self, parameters: HashRowsParameters) -> dict[str, Any]:
        """Check that the parameters fit each other, and that the upload is there."""
        csv = _csv(parameters)
        _check_columns(parameters, csv)
        kept = {
            "upload": parameters.upload,
            "format": parameters.format,
            "compression": parameters.compression,
            "csv": None if csv is None else csv.model_dump(),
            "columns": parameters.columns,
            "row_encoding": parameters.row_encoding,
            "hash": parameters.kept_hash(self._keys),
        }
        found = self._uploads.find(parameters.upload)
        if found is None or not found.is_complete:
            reason, remedy = _upload_problem(found)
            raise wrong_parameter("upload", reason, remedy)
        return kept

    def attach(self, connection: Connection, job_id: str, kept: Mapping[str, Any]) -> None:
        """Keep the upload as long as the job."""
        self._uploads.attach(connection, kept["upload"], job_id)

    def shown(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, without what tells of a key."""
        return shown_hash(kept)

    def retry(self, jobs: Jobs, job: Job, body: Mapping[str, Any]) -> int:
        """Run dead letters again; with `corrected`, an upload, hash it in place of failed rows."""
        if not body:
            return jobs.retry(job.id)
        unknown = sorted(body.keys() - {"corrected"})
        if unknown:
            raise refused((unknown[0],), "There is no such field.", "Send corrected alone.")
        upload_id = body["corrected"]
        found = self._uploads.find(upload_id) if isinstance(upload_id, str) else None
        if found is None or not found.is_complete:
            raise refused(("corrected",), *_upload_problem(found))
        if job.parameters["format"] == "parquet":
            raise NotPossible(
                "Rows of Parquet are not corrected one by one: make a job of a new file.", job.state
            )
        with self._own.connection() as connection, connection.transaction():
            extend(
                connection, job.id, [NewTask("match", {"upload": found.id})], CORRECTION_ATTEMPTS
            )
            self._uploads.attach(connection, found.id, job.id)
        jobs.wake()
        return 1


def _csv(parameters: HashRowsParameters) -> CsvParameters | None:
    if parameters.format != "csv":
        if parameters.csv is not None:
            reason = f"The format is {parameters.format}."
            raise wrong_parameter("csv", reason, "Leave it out, or send the format csv.")
        return None
    csv = parameters.csv or CsvParameters()
    if csv.quote == csv.delimiter:
        reason = "It is the delimiter, too."
        raise refused(("parameters", "csv", "quote"), reason, "Send another sign, or null.")
    return csv


def _check_columns(parameters: HashRowsParameters, csv: CsvParameters | None) -> None:
    columns, encoding = parameters.columns, parameters.row_encoding
    if encoding == "raw":
        if parameters.format == "parquet":
            reason = "Parquet has no records of bytes."
            raise wrong_parameter("row_encoding", reason, "Send canonical, or value.")
        if columns is not None:
            reason = "raw hashes whole records."
            raise wrong_parameter("columns", reason, "Leave it out, or send canonical.")
        return
    if columns is None:
        if parameters.format == "ndjson":
            reason = "Members of a JSON object have no order."
            raise wrong_parameter("columns", reason, "Name those that are hashed, in their order.")
        return
    if encoding == "value" and len(columns) != 1:
        reason = "value hashes one column."
        raise wrong_parameter("columns", reason, "Send one, or the row_encoding canonical.")
    if len(set(columns)) != len(columns):
        raise wrong_parameter("columns", "One of them comes twice.", "Send each once.")
    wanted = int if csv is not None and not csv.header else str
    if not all(isinstance(column, wanted) for column in columns):
        remedy = "Send places, as 1." if wanted is int else "Send names."
        raise wrong_parameter("columns", "Not all are of the kind that the file has.", remedy)


def _upload_problem(found: Upload | None) -> tuple[str, str]:
    if found is None:
        return "There is no such upload.", "Send the id of one that is complete."
    return "The upload is not complete.", "Send the rest of it first, and complete it."

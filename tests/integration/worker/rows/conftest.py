"""A ledger, uploads, and a worker that takes tasks one after the other, when the test says so."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from db.database import Database
from db.migrate import migrate
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from hashing.digester import Digester
from jobs.context import TaskContext
from jobs.errors import Lost, PermanentFailure
from jobs.extension import extend
from jobs.ledger import POINT_QUERIES, Failure, Ledger
from jobs.output import Output
from jobs.record import Job, NewJob, NewTask, TaskClaim
from jobs.service import Jobs
from jobs.settings import JobSettings
from jobs.uploads import Uploads
from tasks.bell import Bell
from tasks.client import connect
from tasks.settings import QueueSettings
from worker.kinds import Tools, job_kinds

HASH = {
    "algorithm": "sha256", "output": "hex", "length": None, "key": None, "key_fingerprint": None,
    "hmac": False, "salt": None, "person": None, "context": None, "seed": None,
}  # fmt: skip
CSV = {"delimiter": ",", "quote": '"', "header": True, "encoding": "utf-8", "null": None}
KEYS = {"payroll": b"secret of the payroll"}


class Office:
    """Makes jobs, and does their work in this thread."""

    def __init__(self, own: Database, reader: Database, jobs: Jobs, settings: JobSettings) -> None:
        self.own = own
        self.jobs = jobs
        self.uploads = Uploads(own)
        self.ledger = Ledger(own, lease_s=30.0, retention_s=1000.0)
        self.output = Output(own)
        tools = Tools(own, reader, {}, settings, KEYS, Digester({}), self.uploads)
        self.kinds = {kind.name: kind for kind in job_kinds(tools)}

    def upload(self, data: bytes) -> str:
        upload_id = self.uploads.create()
        self.uploads.append(upload_id, 0, [data] if data else [])
        self.uploads.complete(upload_id)
        return upload_id

    def hash_rows(self, data: bytes, csv: dict[str, Any] | None = None, **changes: Any) -> str:
        """Accept a job on this file; return its id."""
        parameters: dict[str, Any] = {
            "upload": self.upload(data), "format": "csv", "compression": "auto",
            "csv": CSV | (csv or {}), "columns": None, "row_encoding": "canonical", "hash": HASH,
        }  # fmt: skip
        return self.jobs.create(NewJob("hash_rows", parameters | changes))[0]

    def correct(self, job_id: str, data: bytes) -> None:
        """Send the failed rows of a job again."""
        task = NewTask("match", {"upload": self.upload(data)})
        with self.own.connection() as connection, connection.transaction():
            extend(connection, job_id, [task], 5)

    def work(self, kill_share: float = 0.0, seed: int = 0) -> None:
        """Do all there is to do; with some share of the attempts the worker dies."""
        chance = random.Random(seed)
        while (claim := self.ledger.claim(self.kinds, "worker")) is not None:
            self._do(claim, dies=claim.attempt < 4 and chance.random() < kill_share)

    def _do(self, claim: TaskClaim, *, dies: bool) -> None:
        kind = self.kinds[claim.kind]
        try:
            done = kind.perform(claim, TaskContext())
        except PermanentFailure as error:
            self.ledger.failed(claim, Failure(error.error_class, str(error), None))
            return
        if dies:
            assert self.ledger.failed(claim, Failure("WorkerLost", "", 0.0)) == "ready"
            with pytest.raises(Lost):  # it comes back, too late
                self.ledger.done(claim, done, kind, 5)
            return
        self.ledger.done(claim, done, kind, 5)
        self.ledger.settle(claim.job_id)

    def job(self, job_id: str) -> Job:
        job = self.jobs.find(job_id)
        assert job is not None
        return job

    def rows(self, job_id: str, stream: str = "result") -> list[tuple[Any, ...]]:
        pieces = self.output.pieces(job_id, stream)
        return [tuple(row) for piece in pieces for row in piece.rows]

    def records(self, job_id: str) -> list[bytes]:
        """Records of failed rows as they were sent."""
        return [base64.b64decode(text) for _, text in self.rows(job_id, "failed_records")]

    def outcome(self, job_id: str) -> dict[str, Any]:
        """Return the result of the last task."""
        with self.own.connection() as connection:
            found = connection.execute(
                "SELECT result FROM job_tasks WHERE job_id = $1 AND is_last", [job_id]
            ).fetchone()
        assert found is not None
        outcome: dict[str, Any] = json.loads(found[0] or "null")
        return outcome


@pytest.fixture
def job_settings() -> JobSettings:
    return JobSettings(max_record_bytes=4096, max_unpacked_bytes=50_000_000)


@pytest.fixture
def office(database_url: str, redis_url: str, job_settings: JobSettings) -> Iterator[Office]:
    settings = DatabaseSettings(url=database_url, own_pool_size=4, pool_size=4)
    migrate(database_url, settings)
    with (
        own_database(settings, "test", session=POINT_QUERIES) as own,
        reader_database(settings.model_copy(update={"statement_timeout_s": 0.0}), "t") as reader,
        connect(QueueSettings(url=redis_url), "test") as client,
    ):
        yield Office(own, reader, Jobs(own, Bell(client), job_settings), job_settings)

"""Takes a job in: checked, once for each idempotency key, and not lost from then on."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.jobs.job_type import JobType, refused
from app.models_jobs import NewJobBody
from app.problem_types import (
    IDEMPOTENCY_KEY_BUSY,
    IDEMPOTENCY_KEY_REUSED,
    JOB_UNSURE,
    TOO_MANY_JOBS,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem
from app.validation import choose, field_errors
from db.database import Database
from db.errors import ConnectionLost, TooSlow
from db.pool import Connection
from hashing.errors import OptionRefused
from jobs.errors import KeyInUse, KeyReused, TooManyJobs
from jobs.record import NewJob, digest_of
from jobs.service import Jobs
from telemetry.carrier import outgoing

RETRY_AFTER_S = 1.0
# For PostgreSQL to look a key up, and to take a job in: both take milliseconds.  While it hangs its
# own limits are of no use, and each request holds one of the replica's threads.
ANSWER_S = 5.0


@dataclass(frozen=True)
class Accepted:
    """A job's id, and whether this request made it: False if its key came before."""

    job_id: str
    is_new: bool


class Acceptance:
    """Every method raises db.errors when PostgreSQL is away, and Problem for a bad request."""

    def __init__(
        self,
        own: Database,
        jobs: Jobs,
        types: Mapping[str, JobType[Any]],
        on_accepted: Callable[[str], None],
    ) -> None:
        """`on_accepted` is told the kind of each new job."""
        self._own = own
        self._jobs = jobs
        self._types = types
        self._on_accepted = on_accepted

    def type_of(self, body: NewJobBody) -> JobType[Any]:
        """Return the kind that is asked for."""
        found = self._types.get(body.kind)
        if found is None:
            raise refused(
                ("kind",), f"Unknown kind '{body.kind}'.", choose(body.kind, list(self._types))
            )
        return found

    def replayed(self, body: NewJobBody, key: str | None, file: bytes = b"") -> Accepted | None:
        """Return the job that came of this request before; None if it is a new one.

        `file` is the SHA-256 of what came with it.  Asked for before anything is checked: what is
        wrong by now must not keep a client from the job that it has.
        """
        known = None if key is None else self._of_key(key)
        if known is None:
            return None
        job_id, digest = known
        if digest != digest_of(_request(body, file)):
            raise _key_reused()
        return Accepted(job_id, is_new=False)

    def knows(self, key: str) -> bool:
        """Tell whether an idempotency key came before."""
        return self._of_key(key) is not None

    def read(self, body: NewJobBody) -> Any:
        """Return the parameters as the kind's model."""
        model = self.type_of(body).parameters
        try:
            return model.model_validate_json(json.dumps(body.parameters))
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            raise _within_parameters(field_errors(model, details), len(details)) from error

    def accept(self, body: NewJobBody, key: str | None, file: bytes = b"") -> Accepted:
        """Check the job and take it in; with a key that came before, return what came of it."""
        before = self.replayed(body, key, file)
        if before is not None:
            return before
        return self.take_in(body, body, key, file)

    def take_in(
        self, asked: NewJobBody, body: NewJobBody, key: str | None, file: bytes = b""
    ) -> Accepted:
        """Check `body` and take it in; `asked` is the request by which it is known again."""
        kind = self.type_of(body)
        parameters = self.read(body)
        try:
            kept = kind.accept(parameters)
        except OptionRefused as error:
            place = ("parameters", *error.option.strip("/").split("/"))
            raise refused(place, error.reason, error.remedy) from error
        job = NewJob(
            body.kind,
            kept,
            body.priority,
            idempotency_key=key,
            request=_request(asked, file),
            origin=outgoing(),
        )
        is_written = False
        try:
            with self._connection() as connection, connection.transaction():
                accepted = self._insert(connection, job)
                if accepted.is_new:
                    kind.attach(connection, accepted.job_id, kept)
                is_written = True
        except (ConnectionLost, TooSlow) as error:
            if not is_written:
                raise  # PostgreSQL forgets a transaction that was not to be committed
            raise _unsure(key) from error
        if accepted.is_new:
            self._on_accepted(body.kind)
            self._jobs.wake()
        return accepted

    def _of_key(self, key: str) -> tuple[str, str] | None:
        with self._connection() as connection:
            return self._jobs.of_key_in(connection, key)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Lend a connection for a moment.  Raises db.errors, TooSlow after `ANSWER_S`."""
        end = time.monotonic() + ANSWER_S
        with self._own.connection(ANSWER_S) as connection:
            connection.answer_by = end
            yield connection

    def _insert(self, connection: Connection, job: NewJob) -> Accepted:
        try:
            return Accepted(*self._jobs.create_in(connection, job))
        except KeyInUse as error:
            raise Problem(
                IDEMPOTENCY_KEY_BUSY,
                "A request with this Idempotency-Key is being worked on. Send this one again.",
                retry_after_s=RETRY_AFTER_S,
            ) from error
        except KeyReused as error:
            raise _key_reused() from error
        except TooManyJobs as error:
            raise Problem(TOO_MANY_JOBS, str(error), retry_after_s=RETRY_AFTER_S) from error


def _request(body: NewJobBody, file: bytes) -> str:
    # not what the ledger keeps: that may hold what differs each time, such as an upload's id
    asked = [body.kind, body.parameters, body.priority, file.hex()]
    return json.dumps(asked, sort_keys=True, separators=(",", ":"))


def _unsure(key: str | None) -> Problem:
    remedy = (
        "GET /v1/jobs lists it if it was; sent again, it may be taken in twice."
        if key is None
        else "Send it again with the same Idempotency-Key: it is taken in once."
    )
    detail = f"PostgreSQL did not confirm the job. {remedy}"
    return Problem(JOB_UNSURE, detail, retry_after_s=RETRY_AFTER_S)


def _key_reused() -> Problem:
    return Problem(
        IDEMPOTENCY_KEY_REUSED,
        "The Idempotency-Key came before with another request. Send a new key.",
    )


def _within_parameters(errors: list[FieldError], count: int) -> Problem:
    moved = [
        FieldError(f"/parameters{error.pointer}", error.reason, error.remedy) for error in errors
    ]
    more = f" (and {count - 1} more)" if count > 1 else ""
    first = moved[0]
    return Problem(
        VALIDATION_FAILED,
        f"{first.pointer}: {first.reason} {first.remedy}{more}",
        errors=moved,
    )

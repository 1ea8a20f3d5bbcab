"""A job that comes with its file: a form with the parts `job`, which is JSON, and `file`."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from app.bodies import refused as not_fitting
from app.jobs.acceptance import Acceptance, Accepted
from app.jobs.job_type import refused
from app.models_jobs import NewJobBody
from app.problem_types import BODY_TOO_LARGE, VALIDATION_FAILED
from app.problems import Problem
from app.uploads.multipart import Part
from jobs.upload_errors import UploadError
from jobs.uploads import Uploads

JOB, FILE = "job", "file"


@dataclass
class _Seen:
    """What has come of the form so far."""

    body: NewJobBody | None = None
    upload_id: str | None = None
    has_file: bool = False
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)


class JobForms:
    """Takes forms in; `most_json_bytes` bounds the part `job`, uploads have bounds of their own."""

    def __init__(self, acceptance: Acceptance, uploads: Uploads, most_json_bytes: int) -> None:
        self._acceptance = acceptance
        self._uploads = uploads
        self._most_json_bytes = most_json_bytes

    def accept(self, parts: Iterable[Part], key: str | None) -> Accepted:
        """Keep the file as an upload and accept the job that reads it.

        Where no job comes of it, or the one that the key made before, the file is not kept.
        Raises Problem, db.errors, and what uploads raise.
        """
        seen = _Seen()
        is_used = False
        try:
            for part in parts:
                self._take(part, seen, key)
            if seen.body is None or not seen.has_file:
                missing = FILE if seen.body is not None else JOB
                raise _form_problem(f"The part '{missing}' is missing. Send both, job and file.")
            accepted = self._accepted(seen, seen.body, key)
            is_used = accepted.is_new
        finally:
            if seen.upload_id is not None and not is_used:
                with contextlib.suppress(UploadError):
                    self._uploads.delete(seen.upload_id)
        return accepted

    def _take(self, part: Part, seen: _Seen, key: str | None) -> None:
        if part.name == JOB and seen.body is None:
            seen.body = self._read_job(part.pieces)
            parameter = self._parameter(seen.body)
            # what is wrong is said before gigabytes have come; the name stands for the upload's id
            self._acceptance.read(_with(seen.body, parameter, seen.upload_id or FILE))
        elif part.name == FILE and not seen.has_file:
            seen.has_file = True
            self._keep(part, seen, key)
        else:
            again = " again" if part.name in (JOB, FILE) else ""
            raise _form_problem(
                f"The part '{part.name}' comes{again}. Send one part job and one part file."
            )

    def _keep(self, part: Part, seen: _Seen, key: str | None) -> None:
        def hashed() -> Iterator[bytes]:
            for piece in part.pieces:
                seen.digest.update(piece)
                yield piece

        if key is not None and self._acceptance.knows(key):
            for _ in hashed():  # whether it is the same request is all there is to find out
                pass
            return
        seen.upload_id = self._uploads.create(part.filename or None)
        self._uploads.append(seen.upload_id, 0, hashed() if key is not None else part.pieces)
        self._uploads.complete(seen.upload_id)

    def _accepted(self, seen: _Seen, body: NewJobBody, key: str | None) -> Accepted:
        digest = seen.digest.digest() if key is not None else b""
        before = self._acceptance.replayed(body, key, digest)
        if before is not None:
            return before
        if seen.upload_id is None:  # the job that the key had made was forgotten in this moment
            raise _form_problem("The Idempotency-Key is free again by now. Send it once more.")
        whole = _with(body, self._parameter(body), seen.upload_id)
        return self._acceptance.take_in(body, whole, key, digest)

    def _parameter(self, body: NewJobBody) -> str:
        kind = self._acceptance.type_of(body)
        parameter = kind.file_parameter
        if parameter is None:
            raise refused(
                ("kind",), f"Jobs of kind {kind.name} take no file.", "Send the job as JSON."
            )
        if parameter in body.parameters:
            raise refused(
                ("parameters", parameter), "A file comes with the job.", "Leave this one out."
            )
        return parameter

    def _read_job(self, pieces: Iterable[bytes]) -> NewJobBody:
        text = b""
        for piece in pieces:
            text += piece
            if len(text) > self._most_json_bytes:
                raise Problem(
                    BODY_TOO_LARGE,
                    f"The part 'job' is larger than {self._most_json_bytes} bytes. Send less.",
                )
        try:
            return NewJobBody.model_validate_json(text)
        except ValidationError as error:
            raise not_fitting(NewJobBody, error) from error


def _with(body: NewJobBody, parameter: str, upload_id: str) -> NewJobBody:
    return body.model_copy(update={"parameters": {**body.parameters, parameter: upload_id}})


def _form_problem(detail: str) -> Problem:
    return Problem(VALIDATION_FAILED, detail)

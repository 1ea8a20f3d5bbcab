"""A job on its way to the API, alone or with its file."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.api.client import ApiClient
from cli.errors import CommandError

PIECE_BYTES = 1024 * 1024


class JobMalformed(CommandError):
    """The job's description is no JSON object, or its file cannot be read."""

    exit_code = 2


def body_of(text: str) -> dict[str, Any]:
    """Return what a job's description says.  Raises JobMalformed."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise JobMalformed(f"The job is no JSON: {error}.") from error
    if not isinstance(body, dict):
        raise JobMalformed('The job is no JSON object. Write {"kind": …, "parameters": {…}}.')
    return body


def submitted(
    client: ApiClient, body: dict[str, Any], file: Path | None, key: str | None
) -> dict[str, Any]:
    """Return the job as it was taken in.  Raises ApiRefused, ApiFailed, JobMalformed."""
    headers = {} if key is None else {"Idempotency-Key": key}
    if file is None:
        return client.document("POST", "/v1/jobs", body, headers)
    boundary = secrets.token_hex(16)
    head, end = _around(body, file.name, boundary)
    headers |= {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + file.stat().st_size + len(end)),
    }
    with client.response("POST", "/v1/jobs", _form(head, file, end), headers) as response:
        document: dict[str, Any] = json.loads(response.read())
    return document


def _around(body: dict[str, Any], name: str, boundary: str) -> tuple[bytes, bytes]:
    quoted = name.replace("\\", "_").replace('"', "%22").replace("\r", "_").replace("\n", "_")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="job"\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(body)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


def _form(head: bytes, file: Path, end: bytes) -> Iterator[bytes]:
    yield head
    try:
        with file.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise JobMalformed(f"{file} cannot be read: {error.strerror}.") from error
    yield end

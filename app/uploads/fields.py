"""What the header fields of a request say about an upload.

Names as in the IETF's draft "Resumable Uploads for HTTP", digests as in RFC 9530.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.http import parse_options_header

from app.hashes import digest_fields
from app.problem_types import BAD_REQUEST
from app.problems import Problem
from jobs.upload_record import Upload, UploadLimits

MAX_NAME_CHARACTERS = 255
_BOOLEANS = {"?1": True, "?0": False}


@dataclass(frozen=True)
class UploadFields:
    """`length` is that of the whole file, and `sha256` its digest.

    `content` are digests of what this request brings, by RFC 9530's names.
    """

    is_last: bool
    length: int | None
    offset: int | None
    name: str | None
    content: Mapping[str, bytes]
    sha256: bytes | None


def read(headers: Headers) -> UploadFields:
    """Return what the fields of a request say.  Raises Problem (400)."""
    complete = headers.get("Upload-Complete", "?0").strip()
    if complete not in _BOOLEANS:
        raise _wrong("Upload-Complete", "?1 with the last part of the file, else ?0")
    whole = digest_fields.read("Repr-Digest", headers.get("Repr-Digest", ""))
    if "Repr-Digest" in headers and not _BOOLEANS[complete]:
        raise _wrong("Repr-Digest", "it with the request that has Upload-Complete: ?1")
    if "Repr-Digest" in headers and "sha-256" not in whole:
        raise _wrong("Repr-Digest", "sha-256 in it; other algorithms are not checked")
    return UploadFields(
        is_last=_BOOLEANS[complete],
        length=_number(headers, "Upload-Length"),
        offset=_number(headers, "Upload-Offset"),
        name=_name(headers.get("Content-Disposition", "")),
        content=digest_fields.read("Content-Digest", headers.get("Content-Digest", "")),
        sha256=whole.get("sha-256"),
    )


def write(upload: Upload, limits: UploadLimits) -> dict[str, str]:
    """Return the fields that say how far an upload has come."""
    length = upload.size if upload.is_complete else upload.announced_size
    fields = {
        "Upload-Offset": str(upload.size),
        "Upload-Complete": "?1" if upload.is_complete else "?0",
        "Upload-Limit": f"max-size={limits.max_bytes}, max-age={int(limits.retention_s)}",
        "Cache-Control": "no-store",
    }
    return fields if length is None else {**fields, "Upload-Length": str(length)}


def required_offset(fields: UploadFields) -> int:
    """Return Upload-Offset.  Raises Problem (400) when there is none."""
    if fields.offset is None:
        raise _wrong("Upload-Offset", "how many bytes of the file came before; HEAD tells")
    return fields.offset


def _number(headers: Headers, field: str) -> int | None:
    text = headers.get(field, "").strip()
    if field not in headers:
        return None
    if not re.fullmatch("[0-9]{1,15}", text):
        raise _wrong(field, "a number of bytes of at most 15 digits")
    return int(text)


def _name(disposition: str) -> str | None:
    name = parse_options_header(disposition)[1].get("filename") if disposition else None
    if name is None:
        return None
    # some browsers send the path on the client's machine
    name = re.split(r"[/\\]", name)[-1]
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise _wrong(
            "Content-Disposition", f"a filename of 1 to {MAX_NAME_CHARACTERS} printable characters"
        )
    return name


def _wrong(field: str, remedy: str) -> Problem:
    return Problem(BAD_REQUEST, f"The header {field} does not fit. Send {remedy}.")

"""Files sent in as many requests as it takes."""

from flask import Response, request

from app.bodies import json_response
from app.endpoints import Endpoints, PathParameter
from app.models_uploads import UploadDocument
from app.problem_types import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    DIGEST_MISMATCH,
    TOO_MANY_BODIES,
    TOO_MANY_UPLOADS,
    UPLOAD_COMPLETE,
    UPLOAD_IN_USE,
    UPLOAD_INCOMPLETE,
    UPLOAD_OFFSET_WRONG,
    UPLOAD_UNKNOWN,
)
from app.raw_body import pieces
from app.services import services
from app.uploads import fields
from jobs.upload_errors import UploadUnknown
from jobs.upload_record import Upload

endpoints = Endpoints("uploads", lane="bulk")
UPLOAD_ID = PathParameter("upload_id", "[0-9a-f]{32}", "Id of an upload.")
_AWAY = (DATABASE_UNAVAILABLE, DATABASE_BUSY, DATABASE_READ_ONLY)
_ADDING = (
    *_AWAY, BAD_REQUEST, BODY_TOO_LARGE, DIGEST_MISMATCH, TOO_MANY_UPLOADS, UPLOAD_INCOMPLETE,
    UPLOAD_COMPLETE, UPLOAD_OFFSET_WRONG, TOO_MANY_BODIES,
)  # fmt: skip


@endpoints.endpoint(
    "POST", "/v1/uploads", response=UploadDocument, status=201,
    reads={"application/octet-stream": None}, problems=_ADDING,
)  # fmt: skip
def create_upload() -> Response:
    """Begin an upload.

    The body, of any type, is the first part of the file, or none yet; with `Upload-Complete: ?1`
    it is all of it. `Upload-Length` announces the size of the whole,
    `Content-Disposition: attachment; filename="…"` names it. `Content-Digest` and, with
    `Upload-Complete: ?1`, `Repr-Digest` are checked. `Location` says where to go on; when this
    call fails, nothing is kept.
    """
    given = fields.read(request.headers)
    uploads, receiving = services().uploads.uploads, services().uploads.receiving
    with receiving.begun(given.name, given.length) as upload_id:
        uploads.expect(upload_id, 0, request.content_length or 0)
        receiving.add_all(upload_id, pieces(0, ""), given.content)
        if given.is_last:
            uploads.complete(upload_id, given.sha256)
        response = _answer(upload_id, 201)
    response.headers["Location"] = f"/v1/uploads/{upload_id}"
    return response


@endpoints.endpoint(
    "GET", "/v1/uploads/{upload_id}", parameters=[UPLOAD_ID], response=UploadDocument,
    problems=(*_AWAY, UPLOAD_UNKNOWN),
)  # fmt: skip
def look_upload_up(upload_id: str) -> Response:
    """Ask how far an upload has come.

    `Upload-Offset` says where to go on, `Upload-Complete` whether there is no need to. HEAD tells
    the same without a body.
    """
    return _answer(upload_id)


@endpoints.endpoint(
    "PATCH", "/v1/uploads/{upload_id}", parameters=[UPLOAD_ID], response=UploadDocument,
    reads={"application/partial-upload": None}, problems=(*_ADDING, UPLOAD_UNKNOWN),
)  # fmt: skip
def add_to_upload(upload_id: str) -> Response:
    """Add to an upload.

    The body, of any type, is what follows the first `Upload-Offset` bytes; with
    `Upload-Complete: ?1` it is the last part, and may be empty. Where the connection breaks, what
    was committed stays; with `Content-Digest` all of this request counts, or nothing if it is
    wrong. A wrong offset is answered with the right one, and changes nothing. `Repr-Digest` with
    the last part is of the whole file.
    """
    given = fields.read(request.headers)
    offset = fields.required_offset(given)
    uploads, receiving = services().uploads.uploads, services().uploads.receiving
    uploads.expect(upload_id, offset, request.content_length or 0)
    receiving.add(upload_id, offset, pieces(0, ""), given.content)
    if given.is_last:
        uploads.complete(upload_id, given.sha256)
    return _answer(upload_id)


@endpoints.endpoint(
    "DELETE", "/v1/uploads/{upload_id}", parameters=[UPLOAD_ID], response=None,
    problems=(*_AWAY, UPLOAD_UNKNOWN, UPLOAD_IN_USE),
)  # fmt: skip
def delete_upload(upload_id: str) -> Response:
    """Forget an upload, complete or not, that no unfinished job reads."""
    services().uploads.uploads.delete(upload_id)
    return Response(status=204)


def _answer(upload_id: str, status: int = 200) -> Response:
    uploads = services().uploads.uploads
    upload = uploads.find(upload_id)
    if upload is None:
        raise UploadUnknown(upload_id)
    response = json_response(_document(upload), status)
    response.headers.update(fields.write(upload, uploads.limits))
    return response


def _document(upload: Upload) -> UploadDocument:
    return UploadDocument(
        id=upload.id,
        name=upload.name,
        size_bytes=upload.size,
        announced_bytes=upload.announced_size,
        complete=upload.is_complete,
        verified=upload.is_verified,
        sha256=None if upload.sha256 is None else upload.sha256.hex(),
        created_at=upload.created_at,
        changed_at=upload.changed_at,
        expires_at=upload.expires_at,
    )

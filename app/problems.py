"""Problem details (RFC 9457): the form of every error that a client sees."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, g

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """A kind of error: a stable address, the status it is sent with, and what it means.

    `meaning` is one or two sentences for the documentation, with what the client can do.
    """

    slug: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        """The `type` member: a reference relative to the API's address."""
        return f"/problems/{self.slug}"


@dataclass(frozen=True)
class FieldError:
    """One wrong place in a body: where (JSON pointer, RFC 6901), why, and what to do."""

    pointer: str
    reason: str
    remedy: str


class Problem(Exception):
    """An error with all that its problem document says.

    `extra` are further members of the document; `retry_after_s` becomes `Retry-After`, in whole
    seconds, rounded up.
    """

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            # at least 1: with 0, clients come back at once, to a service that has just failed
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the members of the document; `instance` is the request's id."""
        document: dict[str, Any] = {
            "type": self.kind.uri,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": request_id,
        }
        if self.errors:
            document["errors"] = [asdict(error) for error in self.errors]
        return {
            **document,
            **{name: self.extra[name] for name in self.extra if name not in document},
        }

    def response(self) -> Response:
        """Return the HTTP response for the current request."""
        body = json.dumps(self.document(g.request_id))
        response = Response(body, self.kind.status, content_type=MEDIA_TYPE)
        response.headers.update(self.headers)
        response.headers["Cache-Control"] = "no-store"
        return response

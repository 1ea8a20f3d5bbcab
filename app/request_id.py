"""`X-Request-ID`: one id a request, on every response and in every log line about it."""

import re
import uuid
from collections.abc import Callable

import structlog
from flask import Flask, Response, g, request

HEADER = "X-Request-ID"

# only characters that need no quoting in a log, a header, or a URI reference
_VALID = re.compile(r"[A-Za-z0-9._~-]{1,128}")


def _random_id() -> str:
    return uuid.uuid4().hex


def register_request_id(app: Flask, new_id: Callable[[], str] = _random_id) -> None:
    """Give each request of `app` an id: the client's own when it is valid, else a new one.

    Must be registered before anything that logs or answers.
    """

    @app.before_request
    def take_id() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _VALID.fullmatch(given) else new_id()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def return_id(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        return response

    @app.teardown_request
    def unbind_id(_error: BaseException | None) -> None:
        # threads are used again: what they log next is not about this request
        structlog.contextvars.clear_contextvars()

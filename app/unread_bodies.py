"""Connections whose request was refused before its body was read, which cannot be kept."""

import inspect
from typing import Any

from flask import Flask, Response, request
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]

CLOSE_KEY = "millrace.close"
"""Key of the request's environment: called, it makes the answer the connection's last."""

# to reach the next request, gunicorn reads over 64 KiB of a body at most, and not for long
READ_OVER_BYTES = 16 * 1024


def register_unread_bodies(app: Flask) -> None:
    """Say `Connection: close` where the connection will be closed.

    gunicorn gives up on a long rest of a body, and closes; a client that was not told so may have
    sent its next request already, and cannot know whether that took effect.
    """

    @app.after_request
    def close_after_refusal(response: Response) -> Response:
        close = request.environ.get(CLOSE_KEY)
        if close is not None and response.status_code >= 400:
            reader = getattr(request.environ["wsgi.input"], "reader", None)
            if _has_much_left(reader):
                close()
        return response


def _has_much_left(reader: Any) -> bool:
    if isinstance(reader, LengthReader):
        return bool(reader.length > READ_OVER_BYTES)
    if isinstance(reader, ChunkedReader) and reader.parser is not None:
        return inspect.getgeneratorstate(reader.parser) != inspect.GEN_CLOSED
    return False

"""One log line for a request that failed here or was slow; for every request at debug."""

import structlog
from flask import Flask, Response, g, request

_log = structlog.stdlib.get_logger("app.requests")


def register_request_log(app: Flask, slow_request_s: float) -> None:
    """Log requests of `app`.  Bodies and query strings never: they can hold secrets."""

    @app.after_request
    def log(response: Response) -> Response:
        elapsed_s: float = g.elapsed_s
        # a replica that isn't ready is asked every second; why it isn't is in the log once
        failed = response.status_code >= 500 and not request.path.startswith("/health/")
        write = _log.warning if failed or elapsed_s >= slow_request_s else _log.debug
        write(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            elapsed_s=round(elapsed_s, 6),
        )
        return response

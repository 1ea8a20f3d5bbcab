"""The client that waits for the current request: for how long, and at which socket."""

import math
import socket

from flask import request

PATIENCE = "X-Millrace-Timeout-S"


def patience_s(most_s: float) -> float:
    """Return the seconds that somebody will wait for the answer, at most `most_s`.

    The balancer says how long it waits; behind that, an answer would reach nobody.
    """
    try:
        told_s = float(request.headers.get(PATIENCE, ""))
    except ValueError:
        return most_s
    return min(told_s, most_s) if math.isfinite(told_s) and told_s > 0 else most_s


def client_socket() -> socket.socket | None:
    """Return the connection that the request came on; None where the server does not tell."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, socket.socket) else None

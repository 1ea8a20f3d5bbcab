"""The client that waits for the current request: for how long, and at which socket."""

import math
import socket

from flask import request

from app.problem_types import OVERLOADED
from app.problems import Problem

PATIENCE = "X-Millrace-Timeout-S"
WAITED_KEY = "millrace.waited_s"
"""Key of the request's environment: seconds from its arrival to the begin of work on it."""


def patience_s(most_s: float) -> float:
    """Return the seconds that somebody will wait for the answer, at most `most_s`.

    The balancer says how long it waits; behind that, an answer would reach nobody.  The time for
    which the request has waited here is taken off both.  Raises Problem when none is left.
    """
    try:
        told_s = float(request.headers.get(PATIENCE, ""))
    except ValueError:
        told_s = most_s
    allowed_s = min(told_s, most_s) if math.isfinite(told_s) and told_s > 0 else most_s
    waited_s: float = request.environ.get(WAITED_KEY, 0.0)
    if 0 < allowed_s <= waited_s:
        raise Problem(
            OVERLOADED,
            f"The request waited {waited_s:.3f} s for its turn, and may take {allowed_s:g} s in "
            "all. Nothing was done. Try again, or allow more.",
            extra={"retry_after_s": 1},
            retry_after_s=1.0,
        )
    return allowed_s - waited_s if allowed_s else 0.0


def client_socket() -> socket.socket | None:
    """Return the connection that the request came on; None where the server does not tell."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, socket.socket) else None

"""The problems that the balancer itself answers with when a backend fails it."""

from lb.wire.problem import Problem


def no_backend(retry_after_s: float) -> Problem:
    """Return the 503 when no backend can take the request."""
    return Problem(
        503, "no-backend", "No replica can take the request now",
        "All are ejected, draining or in maintenance. Try again after Retry-After; the "
        "operator sees each one's state at /lb/status of the admin address.",
        retry_after_s=retry_after_s,
    )  # fmt: skip


def backends_busy(retry_after_s: float) -> Problem:
    """Return the 503 when every backend is full, and so is the queue, or the wait was too long."""
    return Problem(
        503, "backends-busy", "All replicas are busy",
        "Each has as many requests as it may have, and the time or the room to wait is over. Try "
        "again after Retry-After.",
        retry_after_s=retry_after_s,
    )  # fmt: skip


def operators_only() -> Problem:
    """Return the 401 for what only operators may ask for."""
    return Problem(
        401, "unauthorized", "A token is needed",
        "This path is for operators. Send Authorization: Bearer with the value of "
        "MILLRACE_LB_ADMIN_TOKEN.",
    )  # fmt: skip


def overloaded() -> Problem:
    """Return the 503 for what the replicas would refuse too."""
    return Problem(
        503, "overloaded", "There is more to do than can be done in time",
        "The replicas refuse most requests of this kind. Nothing was done. Try again after "
        "Retry-After.",
        retry_after_s=1,
    )  # fmt: skip


def backend_failed(reason: str, *, may_repeat: bool) -> Problem:
    """Return the 502 when the request reached no backend, or one that broke off."""
    remedy = "Try again." if may_repeat else "It may have taken effect: look before you try again."
    return Problem(
        502, "backend-failed", "A replica failed while the request was under way",
        f"{reason[:1].upper()}{reason[1:]}. {remedy}",
    )  # fmt: skip


def backend_silent(seconds: float) -> Problem:
    """Return the 504 when a backend did not begin to answer in time."""
    return Problem(
        504, "backend-silent", "The replica did not answer in time",
        f"No byte of an answer came within {seconds:g} s. Ask for less, or try again.",
    )  # fmt: skip


def body_stalled(seconds: float) -> Problem:
    """Return the 408 when the rest of a body does not come."""
    return Problem(
        408, "request-timeout", "The request took too long to arrive",
        f"Nothing of the body came for {seconds:g} s. Send it without pauses.",
    )  # fmt: skip


def body_too_slow(least: int, seconds: float) -> Problem:
    """Return the 408 when a body of any size comes in drops, and would hold a replica for long."""
    return Problem(
        408, "request-timeout", "The request took too long to arrive",
        f"Fewer than {least} bytes a second of the body came in {seconds:.0f} s "
        "(MILLRACE_LB_STREAM_MIN_BYTES_PER_S). Send it faster, or in parts.",
    )  # fmt: skip


def request_expired(seconds: float, *, by_client: bool) -> Problem:
    """Return the 504 when a request took too long in all; 408 when its sender was the slow one."""
    return Problem(
        408 if by_client else 504,
        "request-timeout" if by_client else "request-expired",
        "The request took too long to arrive" if by_client else "The request took too long",
        f"It was not over within {seconds:g} s (MILLRACE_LB_REQUEST_TIMEOUT_S). "
        + ("Send it faster." if by_client else "Ask for less, or try again."),
    )

"""What became of one request, for an operator who has its X-Request-ID."""

from typing import Any

from lb.records import Record


def explanation(record: Record, now: float) -> dict[str, Any]:
    """Return the document of a request that ended before `now`, a time of the same clock.

    The query string is left out: it may hold secrets.
    """
    answered_s = record.answered - record.started if record.answered else None
    return {
        "method": record.head.method.decode(),
        "path": record.head.target.partition(b"?")[0].decode("latin-1"),
        "client": record.client,
        "status": record.status,
        "bytes": record.sent,
        "backend": None if record.backend is None else record.backend.id,
        "candidates": [backend.id for backend in record.candidates],
        "failed_at": [backend.id for backend in record.tried],
        "retries": record.retries,
        "limiter": _fields(record.fields),
        "timings_ms": {"first_byte": _ms(answered_s), "total": _ms(record.ended - record.started)},
        "age_s": round(now - record.ended, 3),
        **({"trace_id": record.trace_id} if record.trace_id else {}),
    }


def _fields(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(": ") for line in lines.decode("latin-1").split("\r\n") if line)
    return {name: value for name, _, value in pairs}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)

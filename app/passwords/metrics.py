"""Metrics of passwords."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.passwords.errors import PasswordsBusy
from db.errors import DatabaseError
from hashing.errors import OutOfService, PasswordError
from tasks.errors import GatherTimeout, QueueError

SCHEMES = ("argon2id", "scrypt", "bcrypt")
OUTCOMES = ("done", "refused", "busy", "unavailable", "late", "failed")


class PasswordMetrics:
    """What became of requests, and how many wait for a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "millrace_app_passwords",
            "Passwords to hash or check, by scheme and by what came of it.",
            ("scheme", "outcome"),
            registry=registry,
        )
        self._waiting = Gauge(
            "millrace_app_passwords_waiting",
            "Passwords that a worker is waited for.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        for scheme in SCHEMES:
            for outcome in OUTCOMES:
                self._requests.labels(scheme, outcome)

    @contextmanager
    def counting(self, scheme: str) -> Iterator[None]:
        """Count a request by how the block ends."""
        outcome = "done"
        try:
            yield
        except BaseException as error:
            outcome = outcome_of(error)
            raise
        finally:
            self._requests.labels(scheme, outcome).inc()

    def waiting(self, count: int) -> None:
        """Note how many wait."""
        self._waiting.set(count)


def outcome_of(error: BaseException) -> str:
    """Return the word for how a request failed."""
    match error:
        case PasswordError() | OutOfService():
            return "refused"
        case PasswordsBusy():
            return "busy"
        case GatherTimeout():
            return "late"
        case QueueError() | DatabaseError():
            return "unavailable"
        case _:
            return "failed"

"""Password hashing: by workers, behind their queries, with nothing readable on the way."""

from app.endpoints import Endpoints
from app.models_passwords import (
    CostRequest,
    PasswordHashRequest,
    PasswordHashResponse,
    PasswordVerifyRequest,
    PasswordVerifyResponse,
)
from app.problem_types import (
    ALGORITHM_OUT_OF_SERVICE,
    DATABASE_BUSY,
    DATABASE_UNAVAILABLE,
    PASSWORDS_BUSY,
    QUEUE_UNAVAILABLE,
    TIMED_OUT,
)
from app.services import services
from app.waiting_client import patience_s
from hashing.errors import PasswordError
from hashing.passwords.work import Outcome, Work

endpoints = Endpoints("passwords", lane="bulk")
PROBLEMS = (
    PASSWORDS_BUSY,
    QUEUE_UNAVAILABLE,
    TIMED_OUT,
    DATABASE_UNAVAILABLE,
    DATABASE_BUSY,
    ALGORITHM_OUT_OF_SERVICE,
)


@endpoints.endpoint(
    "POST",
    "/v1/passwords/hash",
    request=PasswordHashRequest,
    response=PasswordHashResponse,
    problems=PROBLEMS,
    example={"password": "correct horse battery staple"},
)
def hash_password(body: PasswordHashRequest) -> PasswordHashResponse:
    """Hash a password.

    By a worker, whose memory for it is bounded (`MILLRACE_PASSWORD_MEMORY_BYTES`). The password is
    neither stored nor logged, and sealed on its way through the queue.
    """
    work = body.work()
    outcome = _perform(body, work)
    return PasswordHashResponse(
        hash=str(outcome.encoded),
        scheme=work.scheme.name,
        parameters=dict(work.scheme.cost),
        took_ms=_ms(outcome),
    )


@endpoints.endpoint(
    "POST",
    "/v1/passwords/verify",
    request=PasswordVerifyRequest,
    response=PasswordVerifyResponse,
    problems=PROBLEMS,
    example={
        "password": "U*U",
        "hash": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    },
)
def verify_password(body: PasswordVerifyRequest) -> PasswordVerifyResponse:
    """Check a password against its hash.

    The time that this takes does not tell where the two differ. A hash that would cost more to
    check than the limits allow is refused. `scheme` and cost are those of new hashes.
    """
    outcome = _perform(body, body.work())
    return PasswordVerifyResponse(
        valid=bool(outcome.valid),
        needs_rehash=outcome.rehash is not None,
        advice=outcome.rehash,
        took_ms=_ms(outcome),
    )


def _perform(body: CostRequest, work: Work) -> Outcome:
    passwords = services().passwords
    try:
        return passwords.perform(work, patience_s(passwords.timeout_s))
    except PasswordError as error:
        raise body.refused(error) from error


def _ms(outcome: Outcome) -> float:
    return round(outcome.took_s * 1000, 3)

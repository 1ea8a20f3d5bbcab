"""The breakers in front of PostgreSQL, for operators."""

from dataclasses import asdict

from app.endpoints import Endpoints
from app.models_breaker import BreakerCommand, BreakerResponse, ProcessBreakersDocument
from app.problem_types import QUEUE_UNAVAILABLE
from app.services import services
from db.breaker_board import Order

endpoints = Endpoints("breaker", lane="status")


@endpoints.endpoint(
    "GET", "/v1/breaker", response=BreakerResponse, problems=[QUEUE_UNAVAILABLE],
)  # fmt: skip
def show_breaker() -> BreakerResponse:
    """Show the operators' command in force, and the breakers of every process."""
    return _shown()


@endpoints.endpoint(
    "PUT", "/v1/breaker", request=BreakerCommand, response=BreakerResponse,
    problems=[QUEUE_UNAVAILABLE], example={"mode": "auto"},
)  # fmt: skip
def command_breaker(body: BreakerCommand) -> BreakerResponse:
    """Hold the breakers of all processes open or closed for a while, or end that.

    Every process follows within two seconds. It works while PostgreSQL is away.
    """
    services().breaker_board.give(Order(body.mode, body.reason, body.for_s))
    return _shown()


def _shown() -> BreakerResponse:
    order, states = services().breaker_board.look()
    return BreakerResponse(
        mode=order.mode,
        reason=order.reason,
        for_s=order.left_s,
        processes=[ProcessBreakersDocument(**asdict(state)) for state in states],
    )

"""For machines: is the process alive, and should it be sent requests."""

from dataclasses import asdict

from flask import Response

from app.bodies import json_response
from app.endpoints import Endpoints
from app.models_health import CheckDocument, LiveResponse, ModeDocument, ReadyResponse
from app.services import services

endpoints = Endpoints("health", lane="health")


@endpoints.endpoint("GET", "/health/live", response=LiveResponse)
def live() -> LiveResponse:
    """Tell that the process answers.

    Always 200: what the replica needs from elsewhere is `/health/ready`'s matter.
    """
    return LiveResponse()


@endpoints.endpoint("GET", "/health/ready", response=ReadyResponse, also={503: ReadyResponse})
def ready() -> Response:
    """Tell whether to send requests here.

    200 when `ready`, or `degraded` (Redis is away, or PostgreSQL read-only). 503 before the first
    check has ended, while PostgreSQL cannot be reached, and while the replica drains.  `modes` says
    what is not as usual.  The answer is known beforehand: asking runs no check.
    """
    now = services()
    readiness = now.readiness
    state = readiness.state()
    checks = {name: CheckDocument(**asdict(of)) for name, of in readiness.checks().items()}
    status = 200 if state in {"ready", "degraded"} else 503
    modes = [ModeDocument(**asdict(mode)) for mode in now.modes.look()]
    return json_response(ReadyResponse(status=state, checks=checks, modes=modes), status)

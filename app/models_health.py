"""Bodies of the health calls."""

from typing import Literal

from pydantic import Field

from app.models import ResponseModel
from app.modes import ModeName
from app.readiness import State


class LiveResponse(ResponseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class CheckDocument(ResponseModel):
    """Something the replica needs."""

    ok: bool = Field(description="Whether it was there when last checked.")
    problem: str | None = Field(description="What was wrong.")
    age_s: float | None = Field(description="Seconds since the check ended; null before the first.")


class ModeDocument(ResponseModel):
    """A mode that is on."""

    name: ModeName = Field(description="Which; each is explained in docs/trouble.md.")
    since: str = Field(description="When this process entered it: ISO 8601, UTC.")
    cause: str = Field(description="Why.")
    meaning: str = Field(description="What it means for clients.")


class ReadyResponse(ResponseModel):
    """Whether to send requests here, and why."""

    status: State = Field(
        description="`ready`; `degraded`: Redis is away, or PostgreSQL read-only; with 503 "
        "`starting`, `unavailable`: PostgreSQL cannot be reached, or `draining`: the replica is "
        "stopping."
    )
    checks: dict[str, CheckDocument] = Field(
        description="By name: `postgresql`, `postgresql_writes` and `redis`."
    )
    modes: list[ModeDocument] = Field(
        description="What is not as usual just now, and why; empty when all is well."
    )

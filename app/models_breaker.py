"""Bodies of the calls about the breaker."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.models import RequestModel, ResponseModel

MOST_S = 86_400.0


class BreakerCommand(RequestModel):
    """What all breakers are to do."""

    # a JSON integer is a fine number of seconds
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    mode: Literal["auto", "open", "closed"] = Field(
        description="open: PostgreSQL is not asked; closed: it is asked whatever happens; auto: as "
        "each breaker finds right."
    )
    reason: str = Field(default="", max_length=200, description="For whoever looks.")
    for_s: float = Field(
        default=600.0, gt=0, le=MOST_S,
        description="Seconds until it is auto again, so that nobody has to remember.",
    )  # fmt: skip


class ProcessBreakersDocument(ResponseModel):
    """A process's breakers."""

    program: str
    host: str
    pid: int
    mode: Literal["auto", "open", "closed"] = Field(description="The command that it obeys.")
    breakers: dict[str, Literal["closed", "open", "half_open"]] = Field(
        description="State by the name of the pool."
    )
    age_s: float = Field(description="Seconds since it said so.")


class BreakerResponse(ResponseModel):
    """The command in force, and every process's breakers."""

    mode: Literal["auto", "open", "closed"]
    reason: str
    for_s: float | None = Field(description="Seconds until it is auto again; null when it is.")
    processes: list[ProcessBreakersDocument]

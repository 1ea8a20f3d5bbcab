"""Body of the status call.  Each part has an `error` of its own: the others stay readable."""

from typing import Literal

from pydantic import Field

from app.models import ResponseModel
from app.models_health import ModeDocument
from app.readiness import State


class ReplicaPart(ResponseModel):
    """The process that answers."""

    host: str
    pid: int
    state: State = Field(description="As on /health/ready.")
    uptime_s: float
    running_queries: int = Field(description="Queries that it runs now, asynchronous ones too.")


class PoolDocument(ResponseModel):
    """Connections to PostgreSQL of this process."""

    max_size: int = Field(description="How many there may be.")
    size: int = Field(description="How many are open.")
    in_use: int = Field(description="How many are lent out.")
    waiting: int = Field(description="Callers that wait for one.")


class ReadReplicaDocument(ResponseModel):
    """A read replica, as this process sees it."""

    name: str = Field(description="Where it is.")
    age_s: float | None = Field(
        description="How old what it shows is at most, in seconds; null when that is not known."
    )
    problem: str | None = Field(description="Why it is not used; null when it can be.")
    breaker: Literal["closed", "open", "half_open"]


class DatabasePart(ResponseModel):
    """PostgreSQL, as this process sees it."""

    breaker: Literal["closed", "open", "half_open"] = Field(
        description="State of the circuit breaker; while it is open PostgreSQL is not asked."
    )
    pool: PoolDocument
    read_replicas: list[ReadReplicaDocument] = Field(
        description="Those that queries may run on which allow some staleness."
    )
    error: str | None = Field(description="Why PostgreSQL cannot be used; null when it can.")


class WorkerDocument(ResponseModel):
    """A worker, by its last heartbeat."""

    name: str
    host: str
    pid: int
    slots: int = Field(description="Tasks it runs at once.")
    busy: int = Field(description="Tasks it runs now.")
    cpu_percent: float = Field(description="Of one core, since the heartbeat before.")
    rss_bytes: int = Field(description="Memory in use.")
    started_at: float = Field(description="Seconds since 1970, by the worker's clock.")
    draining: bool = Field(description="It finishes what it holds and takes nothing new.")
    lanes: list[str] = Field(description="Lanes that it takes tasks from.")


class WorkersPart(ResponseModel):
    """All live workers."""

    items: list[WorkerDocument]
    error: str | None = Field(description="Why they are not known; null when they are.")


class LaneDocument(ResponseModel):
    """A lane of the queue."""

    name: str
    length: int = Field(
        description="Tasks in it, waiting or held by a worker; in bulk those that are due."
    )
    pending: int = Field(description="Tasks held by a worker.")


class LanesPart(ResponseModel):
    """All lanes."""

    items: list[LaneDocument]
    dead: int | None = Field(
        description="Tasks that the query and password lanes gave up, of the latest thousand or so:"
        " they ended each worker that took them, or were malformed; null while that is not known."
    )
    last_dead: str | None = Field(description="Why the latest of them was given up; null: none.")
    error: str | None = Field(description="Why they are not known; null when they are.")


class ScalerPart(ResponseModel):
    """The scaler: who decides how many workers there are, by what it said last."""

    state: Literal["active", "standby", "away"] = Field(
        description="active: it decides; standby: another is about to take over; away: it does not"
        " answer, and what is said of it is old."
    )
    driver: str = Field(description="docker: it makes it so; advise: it only says.")
    wanted: int = Field(description="Workers that there should be.")
    running: int = Field(description="Workers that there are, without those that leave.")
    min: int = Field(description="There are never fewer.")
    max: int = Field(description="There are never more.")
    reason: str = Field(description="Why it does what it does.")
    changed_at: float | None = Field(
        description="When it changed the number, or its advice, last; seconds since 1970, by its"
        " clock. null: not since it began."
    )


class OutOfServiceDocument(ResponseModel):
    """An algorithm that failed its self-test in this process."""

    algorithm: str
    reason: str = Field(description="What it got wrong.")


class HashingPart(ResponseModel):
    """Hashing, as this process can do it."""

    out_of_service: list[OutOfServiceDocument] = Field(
        description="Algorithms that are refused; empty when all is well."
    )


class StatusResponse(ResponseModel):
    """The state of the whole, as one replica sees it."""

    version: str = Field(description="Version of Millrace.")
    replica: ReplicaPart
    modes: list[ModeDocument] = Field(
        description="What is not as usual in this process just now, and why."
    )
    database: DatabasePart
    workers: WorkersPart
    lanes: LanesPart
    scaler: ScalerPart | None = Field(
        description="null where there is none, or while Redis, which knows, is away."
    )
    hashing: HashingPart

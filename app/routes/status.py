"""For people, the dashboard and the command line: what is there, and how busy."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import TypeVar

from app.checks import POSTGRESQL, REDIS
from app.endpoints import Endpoints
from app.models_health import ModeDocument
from app.models_status import (
    DatabasePart,
    HashingPart,
    LaneDocument,
    LanesPart,
    OutOfServiceDocument,
    PoolDocument,
    ReadReplicaDocument,
    ReplicaPart,
    ScalerPart,
    StatusResponse,
    WorkerDocument,
    WorkersPart,
)
from app.problem_table import title_of
from app.services import Services, services
from db.errors import DatabaseError
from tasks.errors import QueueError
from tasks.lanes import LaneStatus
from tasks.scaling import Scaling

endpoints = Endpoints("status", lane="status")

ItemT = TypeVar("ItemT")


@endpoints.endpoint("GET", "/v1/status", response=StatusResponse)
def status() -> StatusResponse:
    """Show the replica and its modes, pool and breaker, the workers, the lanes and the scaler.

    Always 200: a part whose source is away says so in its `error`, and the others are there.
    """
    now = services()
    replica = ReplicaPart(
        host=socket.gethostname(),
        pid=os.getpid(),
        state=now.readiness.state(),
        uptime_s=round(time.monotonic() - now.started_at, 3),
        running_queries=len(now.running),
    )
    workers, workers_error = _ask_redis(now, now.workers.list)
    lanes, lanes_error = _lanes(now)
    dead, _ = _ask_redis(now, lambda: [now.dead_letters()])
    scaler, _ = _ask_redis(now, lambda: [now.scaling()])
    return StatusResponse(
        version=version("millrace"),
        replica=replica,
        modes=[ModeDocument(**asdict(mode)) for mode in now.modes.look()],
        database=_database(now),
        workers=WorkersPart(
            items=[
                WorkerDocument(
                    **{
                        name: value
                        for name, value in asdict(worker).items()
                        if name in WorkerDocument.model_fields
                    }
                )
                for worker in workers
            ],
            error=workers_error,
        ),
        lanes=LanesPart(
            items=[LaneDocument(**asdict(lane)) for lane in lanes],
            dead=dead[0].count if dead else None,
            last_dead=dead[0].latest[0].cause if dead and dead[0].latest else None,
            error=lanes_error,
        ),
        scaler=_scaler(scaler[0]) if scaler else None,
        hashing=HashingPart(
            out_of_service=[
                OutOfServiceDocument(algorithm=name, reason=reason)
                for name, reason in now.hashing.digester.failures.items()
            ]
        ),
    )


def _database(now: Services) -> DatabasePart:
    pool = now.database.status()
    return DatabasePart(
        breaker=pool.breaker,
        pool=PoolDocument(
            max_size=pool.max_size, size=pool.size, in_use=pool.in_use, waiting=pool.waiting
        ),
        read_replicas=[
            ReadReplicaDocument(
                name=replica.name,
                age_s=now.read_replicas.age_s(replica),
                problem=replica.problem,
                breaker=replica.database.status().breaker,
            )
            for replica in now.read_replicas.replicas
        ],
        error=now.readiness.problem(POSTGRESQL),
    )


def _scaler(found: Scaling | None) -> ScalerPart | None:
    if found is None:
        return None
    record = found.record
    return ScalerPart(
        state=found.state, driver=record.driver, wanted=record.wanted, running=record.running,
        min=record.minimum, max=record.maximum, reason=record.reason, changed_at=record.changed_at,
    )  # fmt: skip


def _lanes(now: Services) -> tuple[Sequence[LaneStatus], str | None]:
    """Return the query lane, which is on Redis, and the bulk lane, which is the jobs' ledger."""
    lanes, error = _ask_redis(now, now.lanes)
    problem = now.readiness.problem(POSTGRESQL)
    if problem is None:
        try:
            return [*lanes, now.jobs.survey.census().lane()], error
        except DatabaseError as failure:
            problem = title_of(failure)
    return lanes, error or problem


def _ask_redis(
    now: Services, question: Callable[[], Sequence[ItemT]]
) -> tuple[Sequence[ItemT], str | None]:
    """Return the answer, or none and why.

    Redis isn't asked when the last check, a second ago, did not find it: that would cost its
    time limit once for each question.
    """
    problem = now.readiness.problem(REDIS)
    if problem is None:
        try:
            return question(), None
        except QueueError as error:
            problem = title_of(error)
    return (), problem

"""What the routes work with; built in main.py, once in each serving process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import redis
from flask import current_app

from app.body_streams import BodyStreams
from app.cache.wiring import Cache
from app.digests.wiring import Digests
from app.events import Events
from app.formats.export_places import ExportPlaces
from app.hashes.wiring import Hashing
from app.jobs.wiring import JobDesk
from app.lanes.admission import Admission
from app.metrics import AppMetrics
from app.mode_watch import ModeWatch
from app.passwords.service import Passwords
from app.queries.asynchronous.events import EventStreams
from app.queries.asynchronous.service import AsyncQueries
from app.queries.running import RunningQueries
from app.queries.self_check import SelfCheck
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.readiness import Readiness
from app.settings import AppSettings
from app.tables.wiring import Tables
from app.uploads.wiring import UploadServices
from db.breaker_board import BreakerBoard
from db.breaker_watch import BreakerWatch
from db.database import Database
from db.notices import Notices
from db.replicas import ReplicaWatch
from tasks.dead_letters import DeadLetters
from tasks.dispatcher import Dispatcher
from tasks.heartbeat import Workers
from tasks.lanes import LaneStatus
from tasks.scaling import Scaling

if TYPE_CHECKING:
    from telemetry.tracer import Tracer

EXTENSION = "millrace"


@dataclass(frozen=True)
class Services:
    """Everything a route may use.

    `database` is reached as the reader, for users' SQL; `own_database` as the owner, for tables of
    our own.  `admission` has the lanes of requests; `lanes` counts the tasks of each lane of the
    queue, `dead_letters` what they gave up, `scaling` tells what the scaler does, and all raise
    QueueUnavailable.  `started_at` is by
    the monotonic clock.  `tracer` is None where tracing is off.
    """

    settings: AppSettings
    metrics: AppMetrics
    events: Events
    tracer: "Tracer | None"
    readiness: Readiness
    modes: ModeWatch
    started_at: float
    database: Database
    own_database: Database
    breaker_board: BreakerBoard
    breaker_watch: BreakerWatch
    read_replicas: ReplicaWatch
    redis: redis.Redis
    dispatcher: Dispatcher
    workers: Workers
    queries: QueryService
    running: RunningQueries
    notices: Notices
    asynchronous: AsyncQueries
    event_streams: EventStreams
    self_check: SelfCheck
    query_settings: QuerySettings
    hashing: Hashing
    jobs: JobDesk
    uploads: UploadServices
    body_streams: BodyStreams
    tables: Tables
    digests: Digests
    passwords: Passwords
    cache: Cache
    admission: Admission[Any]
    exports: ExportPlaces
    lanes: Callable[[], Sequence[LaneStatus]]
    dead_letters: Callable[[], DeadLetters]
    scaling: Callable[[], Scaling | None]


def services() -> Services:
    """Return the services of the application that answers the current request."""
    return cast("Services", current_app.extensions[EXTENSION])

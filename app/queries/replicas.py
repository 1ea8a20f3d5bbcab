"""Queries that allow some staleness, run on read replicas."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from app.queries.control import Control
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.sql_error import SqlError
from db.errors import DatabaseError
from db.replicas import ReadReplica, ReplicaWatch

_log = structlog.stdlib.get_logger("app.queries")


@dataclass(frozen=True)
class ReplicaAnswer:
    """An answer that shows the database as it was at most `age_s` ago."""

    answer: Answer
    age_s: float


class ReplicaQueries:
    """Answers queries from replicas that are young enough.  Safe for use by many threads."""

    def __init__(
        self,
        watch: ReplicaWatch,
        services: Mapping[str, QueryService],
        metrics: QueryMetrics,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._services = services
        self._metrics = metrics
        self._monotonic = monotonic

    def answer(self, query: QueryInput, control: Control, oldest_s: float) -> ReplicaAnswer | None:
        """Answer from the least busy replica that lags at most `oldest_s`.

        None where there is none, or where it fails: then the primary is to answer, which also knows
        best what is wrong with a query.  Raises QueryError.
        """
        replica = self._chosen(query, oldest_s)
        if replica is None:
            return None
        covered_at = replica.covered_at
        try:
            answer = self._services[replica.name].run(replace(query, engine="direct"), control)
        except (DatabaseError, SqlError) as error:
            # a replica also ends queries that are in the way of what it has to replay
            _log.info("replica did not answer", replica=replica.name, error=str(error))
            self._metrics.replica_asked("failed")
            return None
        # its snapshot was taken before it began to execute
        age_s = self._monotonic() - answer.timings.execute / 1000 - (covered_at or 0.0)
        if covered_at is None or age_s > oldest_s:
            self._metrics.replica_asked("too old")
            return None
        self._metrics.replica_asked("answered")
        reason = f"a read replica answers, at most {age_s:.1f} s behind"
        return ReplicaAnswer(replace(answer, reason=reason), age_s)

    def _chosen(self, query: QueryInput, oldest_s: float) -> ReadReplica | None:
        if query.engine == "partitioned":
            return None
        young = [
            (status.in_use, age_s, place)
            for place, replica in enumerate(self._watch.replicas)
            if (age_s := self._watch.age_s(replica)) is not None and age_s <= oldest_s
            if (status := replica.database.status()).breaker == "closed"
        ]
        return self._watch.replicas[min(young)[2]] if young else None

"""Reads what there is to do from Redis."""

import time
from collections.abc import Callable

import redis

from scaler.demand import LaneSample, Sample
from tasks.bell import due_tasks
from tasks.heartbeat import Workers
from tasks.lanes import BULK, PASSWORD, QUERY, LaneStatus, lane_status


class Reader:
    """Reads the roll of workers and the lanes.

    What of the bulk lane is due, a worker counts in the ledger about once a second.
    """

    def __init__(
        self, client: redis.Redis, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._workers = Workers(client)
        self._monotonic = monotonic

    def read(self) -> Sample:
        """Return workers and lanes.  Raises QueueUnavailable, MessageMalformed."""
        workers = self._workers.list()
        lanes = [LaneSample(lane, lane_status(self._client, lane)) for lane in (QUERY, PASSWORD)]
        due = LaneStatus(BULK.name, due_tasks(self._client), 0)
        return Sample(self._monotonic(), workers, (*lanes, LaneSample(BULK, due)))

"""The sender's side of the queue: scatters tasks, and knows the capacity."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import redis

from tasks.capacity import Capacity, CapacityView
from tasks.errors import NoWorkers, QueueFull, QueueUnavailable
from tasks.heartbeat import Workers
from tasks.lanes import QUERY, Lane
from tasks.link import borrowed
from tasks.message import encode_headers
from tasks.scatter import Outgoing, Scatter
from tasks.scripts import SCATTER
from tasks.service_times import Spread
from tasks.settings import QueueSettings


def new_reply_to() -> str:
    """Return a name for a scatter that nobody can guess."""
    return secrets.token_hex(12)


class Dispatcher:
    """Sends tasks on one lane.  Safe for use by many threads."""

    def __init__(
        self,
        client: redis.Redis,
        settings: QueueSettings,
        *,
        lane: Lane = QUERY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._settings = settings
        self._lane = lane
        self._monotonic = monotonic
        workers = Workers(client)
        self._view = CapacityView(lambda: workers.roll(lane), monotonic, lane)
        self._spread = Spread(monotonic)

    def capacity(self) -> Capacity:
        """Return what live workers can take of the lane, at most half a second old.

        Raises QueueUnavailable; while Redis is away that costs one caller a second its time limit,
        and the others nothing.
        """
        return self._view.capacity()

    @property
    def known_takers(self) -> int | None:
        """Workers that take tasks, as `capacity` learnt last; None while Redis is away."""
        return self._view.known_takers

    def scatter(
        self,
        payloads: Sequence[bytes],
        *,
        timeout_s: float,
        reply_to: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Scatter:
        """Queue one task for each payload, all or none, in one round trip.

        They, and their gathering, have `timeout_s` seconds.  `reply_to` names this scatter; who
        gives it takes 24 random hex digits, as is done here.  `headers` go with each task.
        Raises NoWorkers when none lives, QueueFull when they would wait too long, and
        QueueUnavailable.
        """
        deadline = self._monotonic() + timeout_s
        reply_to = new_reply_to() if reply_to is None else reply_to
        tasks = [Outgoing(index, payload) for index, payload in enumerate(payloads)]
        most_wait_s = self._settings.max_wait_share * timeout_s
        queue = partial(self._queue, encode_headers(headers or {}))
        ids = queue(tasks, timeout_s, reply_to, self.capacity().most_ahead(most_wait_s))
        return Scatter(
            self._client,
            self._settings,
            payloads=payloads,
            ids=ids,
            reply_to=reply_to,
            deadline=deadline,
            queue=queue,
            lane=self._lane,
            unavailable=self._view.unavailable,
            slots=lambda: self._view.capacity().slots,
            spread=self._spread,
            monotonic=self._monotonic,
        )

    def _queue(
        self,
        headers: bytes,
        tasks: Sequence[Outgoing],
        timeout_s: float,
        reply_to: str,
        most_ahead: int | None = None,
    ) -> list[str]:
        """Queue tasks; return their ids in the stream.

        `most_ahead` others may be there already; None: as many as the lane holds.
        """
        budget_ms = max(1, int(timeout_s * 1000))
        most = self._settings.max_length
        arguments: list[str | bytes | int] = [
            most, most if most_ahead is None else most_ahead, budget_ms, reply_to, headers,
        ]  # fmt: skip
        for task in tasks:
            arguments += (task.index, int(task.is_copy), task.payload)
        try:
            with borrowed(self._client) as link:
                reply = link.run(SCATTER, [self._lane.stream, self._lane.takers], arguments)
        except QueueUnavailable as error:
            self._view.unavailable(error)
            raise
        match reply:
            case [b"queued", *ids]:
                return [entry_id.decode() for entry_id in ids if isinstance(entry_id, bytes)]
            case [b"full", int(length)]:
                raise QueueFull(length, self._expected_wait_s(length))
            case _:
                raise NoWorkers("no worker takes tasks")

    def _expected_wait_s(self, length: int) -> float | None:
        capacity = self.capacity()
        return None if capacity.rate is None else capacity.wait_s(length)

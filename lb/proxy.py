"""What all client connections share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from lb.access_log import AccessLog
from lb.backend.backend import Backend
from lb.backend.backends import Backends
from lb.backend.health import HealthPolicy
from lb.client_address import ClientAddresses
from lb.counters import Counters
from lb.events import Events
from lb.limiter.limiter import Limiter
from lb.operator_paths import OperatorPaths
from lb.records import Members, Record, Records
from lb.retry import RetryBudget, RetryPolicy
from lb.settings import BalancerSettings
from lb.stream_paths import StreamPaths
from lb.throttle import Throttle

if TYPE_CHECKING:
    from lb.tracing import Tracing

# what is less is not told
_NO_TIME_S = 0.001


class Client(Protocol):
    """A client's connection, as the drain and the sweep see it."""

    def check(self, now: float) -> None:
        """End what has taken too long."""

    def backend_silent(self, backend: Backend) -> None:
        """Try elsewhere, if the request waits for `backend` and may be repeated."""

    def drain(self) -> None:
        """Let the answer in flight, or to the next request that comes soon, be the last."""

    def abort(self) -> None:
        """Close at once."""


class Proxy:
    """The parts that a request passes, and the clients that are connected.

    `now` is the monotonic time of the last sweep: exact enough for timeouts, and free.
    """

    def __init__(
        self,
        settings: BalancerSettings,
        *,
        backends: Backends,
        client_addresses: ClientAddresses,
        limiter: Limiter | None,
        health_policy: HealthPolicy,
        retry_policy: RetryPolicy,
        retry_budget: RetryBudget,
        throttle: Throttle,
        counters: Counters,
        events: Events,
        access_log: AccessLog,
        next_request_id: Callable[[], bytes],
        clock: Callable[[], float],
        tracing: "Tracing | None" = None,
    ) -> None:
        self.settings = settings
        self.backends = backends
        self.client_addresses = client_addresses
        self.limiter = limiter
        self.health_policy = health_policy
        self.retry_policy = retry_policy
        self.retry_budget = retry_budget
        self.throttle = throttle
        self.counters = counters
        self.events = events
        self.access_log = access_log
        self.next_request_id = next_request_id
        self.clock = clock
        self.tracing = tracing
        self.now = clock()
        self.clients: set[Client] = set()
        self.records = Records(settings.explain_requests)
        self.stream_paths = StreamPaths(settings.streams)
        self.operator_paths = OperatorPaths(settings.operators, settings.operators_token)
        self._whole_time = _time_budget(settings.request_timeout_s)
        self.draining = False

    def time_budget(self, target: bytes, passed_s: float) -> bytes:
        """Return the header line that tells a replica how long it may take: what is left.

        None where a request may take any time.
        """
        if self.stream_paths.include(target):
            return b""
        if passed_s < _NO_TIME_S:
            return self._whole_time
        return _time_budget(max(_NO_TIME_S, self.settings.request_timeout_s - passed_s))

    def refused_there(self, method: bytes, target: bytes, lane: bytes, *, tried: int) -> bool:
        """Note that a backend has too much to do; tell whether another may be asked at once.

        Not when most are refused: then all would be asked, for nothing, and have still more to do.
        """
        others = self.throttle.refused_there(method, target, lane, active=self.counters.active)
        return (
            others
            and tried < len(self.backends.ready)
            and self.retry_budget.has_room(self.counters.active)
        )

    def settle(self, members: Members) -> None:
        """Count, remember and log a request that is over."""
        status, started, ended = members[7], members[9], members[11]
        self.counters.observe(ended - started)
        self.records.add(members)
        if self.access_log.takes(status):
            record = Record(*members)
            self.access_log.write(
                request_id=record.request_id,
                client=record.client,
                method=record.head.method,
                target=record.head.target,
                status=status,
                sent=record.sent,
                seconds=ended - started,
                backend=None if record.backend is None else record.backend.id,
                retries=record.retries,
                trace_id=record.trace_id,
            )

    def sweep(self) -> None:
        """Do what is due by time: to be called a few times a second."""
        self.now = now = self.clock()
        for client in tuple(self.clients):
            client.check(now)
        self.backends.close_idle(now - self.settings.backend_idle_timeout_s)
        self.backends.sweep(now)
        self.throttle.sweep(now)
        if self.limiter is not None:
            self.limiter.sweep(now)
        self.access_log.flush()

    def backend_silent(self, backend: Backend) -> None:
        """Send again elsewhere what waits for a backend that answers nothing any more.

        Not when too many are silent: then all of it would go in circles.
        """
        if self.backends.ready and not self.backends.panicking:
            for client in tuple(self.clients):
                client.backend_silent(backend)

    def drain(self) -> None:
        """Let each client's answer in flight, or its next one, be the last."""
        self.draining = True
        for client in tuple(self.clients):
            client.drain()


def _time_budget(seconds: float) -> bytes:
    return b"X-Millrace-Timeout-S: %.3f\r\n" % seconds

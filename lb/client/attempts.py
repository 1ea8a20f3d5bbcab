"""The attempts of one request at backends: picked, connected to, sent to, and tried again."""

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from lb.backend.backend import Backend
from lb.backend.connection import BackendConnection, Carried
from lb.client import failures
from lb.client.pause import Pause
from lb.proxy import Proxy
from lb.retry import REPEATED, Failure
from lb.wire.problem import Problem
from lb.wire.request import Request

if TYPE_CHECKING:
    from lb.client.connection import ClientConnection
    from lb.tracing import Trace


class Attempts(Carried, ABC):
    """How a request gets to a backend; what becomes of the answer, Exchange knows."""

    # Not set in __init__: most requests change few of them, and each costs 20 to 30 ns.
    _backend: Backend | None = None
    _body = b""  # of a request that may be sent again
    _connecting: asyncio.Task[None] | None = None
    _connection: BackendConnection | None = None
    _in_budget = False
    _over = False
    _repeated = b""  # the field that says so, once a replica may have done what was asked
    _replayable = False
    _retries = 0
    _trace: "Trace | None" = None
    tried: tuple[Backend, ...] = ()

    def __init__(self, proxy: Proxy, client: "ClientConnection", request: Request) -> None:
        self._proxy = proxy
        self._client = client
        self.request = request
        self._request_id = request.head.request_id or proxy.next_request_id()
        self._started = self._attempt_started = proxy.clock()
        self._moved = proxy.now

    @abstractmethod
    def fail(self, problem: Problem) -> None:
        """Answer with a problem; when the answer has begun, break it off instead."""

    def engage(self, backend: Backend) -> None:
        """Begin an attempt at `backend`."""
        self._backend = backend
        backend.active += 1
        if self._trace is not None:
            self._trace.attempt(backend.id)
        # A retry takes a new connection: kept ones may all have ended in the same moment.
        connection = None if self._retries else backend.take_idle()
        if connection is not None:
            self._send(connection)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(backend))

    def waited_too_long(self) -> None:
        """Answer that no backend had room in time."""
        self.fail(failures.backends_busy(self._proxy.settings.queue_timeout_s))

    def backend_silent(self, backend: Backend) -> None:
        """Try elsewhere, if possible, when this waits for `backend`, which answers no checks."""
        connection = self._connection
        if self._backend is backend and not (connection is not None and connection.heard):
            failure: Failure = "connect" if connection is None else "silent"
            if self._may_retry(failure):
                self._attempt_failed(failure, "a replica is silent", is_fault=False)

    def _dispatch(self) -> None:
        """Begin an attempt at a backend."""
        backends = self._proxy.backends
        backend = backends.pick(self.tried)
        if backend is not None:
            self.engage(backend)
        elif not backends.in_use:
            self.fail(failures.no_backend(self._proxy.settings.check_interval_s))
        elif not backends.wait(self):
            self.fail(failures.backends_busy(self._proxy.settings.queue_timeout_s))

    async def _connect(self, backend: Backend) -> None:
        settings = self._proxy.settings
        try:
            connection = await backend.connect(
                max_head=settings.max_header_bytes, timeout_s=settings.connect_timeout_s
            )
        except OSError as error:
            self._connecting = None
            self._attempt_failed("connect", f"a replica cannot be reached: {error}")
        else:
            self._connecting = None
            self._send(connection)

    def _send(self, connection: BackendConnection) -> None:
        proxy, client, request = self._proxy, self._client, self.request
        self._connection = connection
        self._attempt_started = now = proxy.clock()
        budget = proxy.time_budget(request.head.target, now - self._started)
        fields = budget + self._repeated
        if self._trace is not None:
            fields += self._trace.lines
        elif request.head.trace is not None:
            fields += request.head.trace.lines()
        wire = request.serialise(client.forwarding, self._request_id, fields)
        if not self._replayable:
            wire += request.take()
        elif self._body:
            wire += self._body
        connection.carry(self, wire, to_head=request.head.method == b"HEAD")
        if client.pauses:
            client.resume_reading(Pause.BACKEND)
        self._moved = self._proxy.now

    def _attempt_failed(self, failure: Failure, reason: str, *, is_fault: bool = True) -> None:
        self._blame(reason, is_fault=is_fault)
        backend = self._detach()
        proxy = self._proxy
        if self._trace is not None:
            self._trace.attempt_failed(failure)
        self.tried = self.tried if backend is None else (*self.tried, backend)
        if self._may_retry(failure):
            self._retries += 1
            if failure not in {"connect", "overloaded"}:  # of these, nothing was done
                self._repeated = REPEATED
            proxy.counters.retries[failure] += 1
            if self._in_budget:
                self._dispatch()
            else:
                proxy.retry_budget.enter(proxy.counters.active, self._begin_retry)
        else:
            self.fail(failures.backend_failed(reason, may_repeat=failure == "connect"))

    def _broken(self, reason: str) -> None:
        self._blame(reason, is_fault=True)
        self.fail(failures.backend_failed(reason, may_repeat=False))

    def _blame(self, reason: str, *, is_fault: bool) -> None:
        backend, proxy = self._backend, self._proxy
        if backend is not None:
            backend.failures += 1
            if is_fault:
                backend.connection_failed(reason, proxy.health_policy, proxy.clock())

    def _may_retry(self, failure: Failure) -> bool:
        return self._proxy.retry_policy.allows(
            failure,
            method=self.request.head.method,
            target=self.request.head.target,
            replayable=self._replayable,
            retries=self._retries,
        )

    def _goes_elsewhere(self, lane: bytes) -> bool:
        """Try once elsewhere what a backend refused unread, if that can be done at once."""
        head, tried = self.request.head, len(self.tried) + 1
        if not self._proxy.refused_there(head.method, head.target, lane, tried=tried):
            return False
        if self._retries or not self._may_retry("overloaded"):
            return False
        self._proxy.throttle.again(head.method, head.target)
        self._attempt_failed("overloaded", "a replica has too much to do", is_fault=False)
        return True

    def _begin_retry(self) -> bool:
        if self._over:
            return False
        self._in_budget = True
        self._dispatch()
        return True

    def _detach(self) -> Backend | None:
        """Let go of the backend and close what leads to it; return it."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        backend, self._backend = self._backend, None
        connection, self._connection = self._connection, None
        if backend is not None:
            backend.active -= 1
            if connection is not None:
                backend.discard(connection)
        return backend

"""One request's way: limit, body, backend, retries, answer."""

import asyncio
from typing import TYPE_CHECKING

from lb.backend.backend import Backend
from lb.backend.connection import BackendConnection
from lb.client import failures
from lb.client.pause import Pause
from lb.proxy import Proxy
from lb.retry import Failure
from lb.wire.problem import Problem, serialise
from lb.wire.request import Request
from lb.wire.response import begin_answer

if TYPE_CHECKING:
    from lb.client.connection import ClientConnection

# More of a body than this is not taken in while the connection to the backend is being made.
_HIGH_WATER_BYTES = 262144


class Exchange:
    """A request and its answer; begins with start() and ends with the client's exchange_over().

    A small body is collected before a backend is engaged: slow senders don't occupy replicas,
    and the request can be sent again.
    """

    __slots__ = (
        "_attempt_started", "_backend", "_chunked", "_client", "_close", "_connecting",
        "_connection", "_deadline", "_fields", "_in_budget", "_over", "_proxy", "_replayable",
        "_request_id", "_retries", "_sending_paused", "_sent", "_started", "_status", "_wire",
        "request", "tried",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, client: "ClientConnection", request: Request) -> None:
        self._proxy = proxy
        self._client = client
        self.request = request
        self._request_id = request.request_id or proxy.next_request_id()
        self._started = self._attempt_started = proxy.clock()
        self._deadline = proxy.now + proxy.settings.body_idle_timeout_s
        self._backend: Backend | None = None
        self._connection: BackendConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._wire: bytes | None = None
        self._replayable = False
        self._sending_paused = False
        self.tried: list[Backend] = []
        self._retries = 0
        self._in_budget = False
        self._fields = b""
        self._status = 0
        self._sent = 0
        self._chunked = False
        self._close = False
        self._over = False

    # ---- for the client's connection

    def start(self) -> None:
        """Count the request, and send it on as soon as may be."""
        proxy = self._proxy
        proxy.counters.active += 1
        if self._client.is_trusted:
            self._client.identify(self.request)
        if proxy.limiter is not None:
            verdict = proxy.limiter.check(self._client.key, self.request.target, self._started)
            if verdict is not None:
                self._fields = verdict.fields
                if verdict.problem is not None:
                    self.fail(verdict.problem)
                    return
        self.body_arrived()

    def body_arrived(self) -> None:
        """Look at the request again: more of its body may be there."""
        request = self.request
        if self._over:
            return
        if self._connection is not None:
            if request.parts or request.complete:
                self._connection.write(request.take())
                self._touch()
        elif self._wire is not None:  # on the way to a connection
            if sum(map(len, request.parts)) > _HIGH_WATER_BYTES:
                self._client.pause_reading(Pause.BACKEND)
        elif request.complete or request.received > self._proxy.settings.replay_body_bytes:
            self._replayable = request.complete
            self._wire = request.serialise(self._client.forwarding, self._request_id)
            self._dispatch()
        else:
            if request.expects_continue and not request.received:
                self._client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._touch()

    def pause_receiving(self) -> None:
        """Take no more of the answer: the client is slower."""
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_receiving(self) -> None:
        """Go on taking the answer."""
        self._touch()
        if self._connection is not None:
            self._connection.resume_reading()

    def client_gone(self) -> None:
        """Close the backend's connection, so that the replica may notice and stop."""
        if self._over:
            return
        if self._backend is not None:
            self._backend.answers[0] += 1
        else:
            self._proxy.counters.own_answers[0] += 1
        self._status = 0
        self._settle(self._detach())

    def check(self, now: float) -> None:
        """End the request when somebody has been silent for too long."""
        if now < self._deadline:
            return
        settings = self._proxy.settings
        if self._client.is_stalled or self._status:
            self._client.abort()
        elif not self.request.complete and not self._sending_paused:
            self.fail(failures.body_stalled(settings.body_idle_timeout_s))
        else:
            if self._backend is not None:
                self._backend.failures += 1
            self.fail(failures.backend_silent(settings.first_byte_timeout_s))

    def fail(self, problem: Problem) -> None:
        """Answer with a problem; when the answer has begun, break it off instead."""
        if self._status:
            self._client.abort()
            return
        self._status = problem.status
        self._proxy.counters.own_answers[problem.status // 100] += 1
        request = self.request
        close = not self._may_keep_alive() or request.http_1_0
        backend = self._detach()
        self._client.write(
            serialise(
                problem,
                self._request_id,
                close=close,
                body=request.method != b"HEAD",
                fields=self._fields,
            )
        )
        self._settle(backend)
        self._client.exchange_over(close=close)

    # ---- for the backends

    def engage(self, backend: Backend) -> None:
        """Begin an attempt at `backend`."""
        self._backend = backend
        backend.active += 1
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

    # ---- for the backend's connection

    def response_arrived(self) -> None:
        """Pass on what the backend's connection has read."""
        connection, backend = self._connection, self._backend
        if connection is None or backend is None:
            return
        reader = connection.reader
        request = self.request
        out = b""
        if reader.interims:
            if not request.http_1_0:
                self._client.write(reader.interims)
            reader.interims = b""
        head = reader.head
        if head is None:
            return
        if not self._status:
            self._status = head.status
            backend.observe_latency(self._proxy.clock() - self._attempt_started)
            begun = begin_answer(
                head,
                b"X-Request-ID: %b\r\n%b" % (self._request_id, self._fields),
                http_1_0=request.http_1_0,
                close=not self._may_keep_alive(),
            )
            out, self._chunked, self._close = begun
        if reader.parts:
            body = b"".join(reader.parts)
            reader.parts.clear()
            self._sent += len(body)
            out += b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body
        if reader.complete:
            self._client.write(out + b"0\r\n\r\n" if self._chunked else out)
            self._finish(reuse=head.keep_alive and request.complete)
        else:
            self._client.write(out)
            self._touch()

    def response_failed(self, reason: str) -> None:
        """Tell the client that the backend spoke no HTTP."""
        if self._backend is not None:
            self._backend.failures += 1
        self.fail(
            failures.backend_failed(f"a replica's answer is not valid: {reason}", may_repeat=False)
        )

    def backend_closed(self) -> None:
        """End the answer, try again elsewhere, or tell the client."""
        connection, backend = self._connection, self._backend
        if connection is None or backend is None:
            return
        head = connection.reader.head
        if head is not None and head.framing == "close":
            if self._chunked:
                self._client.write(b"0\r\n\r\n")
            self._finish(reuse=False)
        elif connection.heard:
            backend.failures += 1
            self.fail(failures.backend_failed("a replica broke off its answer", may_repeat=False))
        else:
            # That a kept connection has ended is no fault: the backend may close idle ones.
            self._attempt_failed(
                "closed", "a replica closed without an answer", is_fault=connection.used == 0
            )

    def pause_sending(self) -> None:
        """Take no more of the body from the client: the backend is slower."""
        self._sending_paused = True
        self._client.pause_reading(Pause.BACKEND)

    def resume_sending(self) -> None:
        """Go on taking the body."""
        self._sending_paused = False
        self._touch()
        self._client.resume_reading(Pause.BACKEND)

    # ---- inside

    def _touch(self) -> None:
        """Something moved: time for the next to happen starts anew."""
        proxy = self._proxy
        from_client = not self.request.complete or self._client.is_stalled
        settings = proxy.settings
        self._deadline = proxy.now + (
            settings.body_idle_timeout_s if from_client else settings.first_byte_timeout_s
        )

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
        self._connection = connection
        wire = self._wire or b""
        if not self._replayable:
            wire += self.request.take()
            self._wire = b""  # never needed again, and perhaps large
        connection.carry(self, to_head=self.request.method == b"HEAD")
        self._attempt_started = self._proxy.clock()
        connection.write(wire)
        self._client.resume_reading(Pause.BACKEND)
        self._touch()

    def _attempt_failed(self, failure: Failure, reason: str, *, is_fault: bool = True) -> None:
        backend = self._detach()
        proxy = self._proxy
        if backend is not None:
            backend.failures += 1
            if is_fault:
                backend.connection_failed(reason, proxy.health_policy, proxy.clock())
            self.tried.append(backend)
        if self._may_retry(failure):
            self._retries += 1
            proxy.counters.retries[failure] += 1
            if self._in_budget:
                self._dispatch()
            else:
                proxy.retry_budget.enter(proxy.counters.active, self._begin_retry)
        else:
            self.fail(failures.backend_failed(reason, may_repeat=failure == "connect"))

    def _may_retry(self, failure: Failure) -> bool:
        return self._proxy.retry_policy.allows(
            failure,
            method=self.request.method,
            target=self.request.target,
            replayable=self._replayable,
            retries=self._retries,
        )

    def _begin_retry(self) -> bool:
        if self._over:
            return False
        self._in_budget = True
        self._dispatch()
        return True

    def _may_keep_alive(self) -> bool:
        request = self.request
        return request.keep_alive and request.complete and not self._proxy.draining

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

    def _finish(self, *, reuse: bool) -> None:
        """End after a whole answer."""
        proxy = self._proxy
        backend, connection = self._backend, self._connection
        if backend is None or connection is None:
            return
        if backend.health.connection_failures:
            backend.answered()
        if reuse and not self._sending_paused:
            if self._client.is_stalled:
                connection.resume_reading()
            self._connection = None
            backend.put_idle(connection, proxy.now)
        self._detach()
        backend.answers[self._status // 100] += 1
        self._settle(backend)
        # What is left of an unfinished body is not read as a next request.
        self._client.exchange_over(close=self._close or not self.request.complete)

    def _settle(self, backend: Backend | None) -> None:
        """Count and log; the request is over."""
        self._over = True
        proxy = self._proxy
        counters = proxy.counters
        counters.active -= 1
        if proxy.backends.queue:
            proxy.backends.request_over(self)
        if self._in_budget:
            proxy.retry_budget.leave(counters.active)
        seconds = proxy.clock() - self._started
        counters.observe(seconds)
        if proxy.access_log.takes(self._status):
            proxy.access_log.write(
                request_id=self._request_id,
                client=self._client.address,
                method=self.request.method,
                target=self.request.target,
                status=self._status,
                sent=self._sent,
                seconds=seconds,
                backend=backend.id if backend is not None else None,
                retries=self._retries,
            )

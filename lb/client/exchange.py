"""One request's way: limit, body, answer; how it gets to a backend is in Attempts."""

from lb.backend.backend import Backend
from lb.client import failures
from lb.client.attempts import Attempts
from lb.client.pace import Pace
from lb.client.patience import overdue
from lb.client.pause import HIGH_WATER_BYTES, Pause
from lb.limiter.limiter import Verdict
from lb.wire.problem import Problem, serialise
from lb.wire.response import begin_answer

# RFC 9110 section 11.6.1
_CHALLENGE = b'WWW-Authenticate: Bearer realm="operators"\r\n'


class Exchange(Attempts):
    """A request and its answer; begins with start() and ends with the client's exchange_over().

    A small body is collected before a backend is engaged: slow senders don't occupy replicas,
    and the request can be sent again.
    """

    # Not set in __init__: as in Attempts.
    _answered = 0.0
    _chunked = False
    _close = False
    _dispatched = False
    _fields = b""
    _pace: Pace | None = None
    _sending_paused = False
    _sent = 0
    _status = 0

    def start(self) -> None:
        """Count the request, and send it on as soon as may be."""
        verdict: Verdict | None = b""
        proxy = self._proxy
        proxy.counters.active += 1
        if proxy.tracing is not None:
            self._trace = proxy.tracing.begin(
                self.request.head, self._request_id, trusted=self._client.is_trusted
            )
        if proxy.limiter is not None:
            head, check = self.request.head, proxy.limiter.check
            key, now = self._client.key, self._started
            verdict = check(key, head.target, head.api_key, now, self._limited)
        if verdict is None:
            self._dispatched = True  # the body waits, as for a connection
        else:
            self._limited(verdict)

    def _limited(self, verdict: Verdict) -> None:
        """Do what the limit tells, at once or when the shared count has been asked."""
        if self._over:
            return
        if self._client.pauses:
            self._client.resume_reading(Pause.BACKEND)
        self._dispatched = self._replayable = isinstance(verdict, bytes) and self.request.bodiless
        if not isinstance(verdict, bytes):
            self._fields = verdict.fields
            self.fail(verdict.problem)
            return
        throttle, head = self._proxy.throttle, self.request.head
        if self._proxy.operator_paths.bar(head.target, head.authorization):
            self._fields = verdict + _CHALLENGE
            self.fail(failures.operators_only())
            return
        if throttle.watched and throttle.refuses(head.method, head.target):
            self._fields = verdict
            self.fail(failures.overloaded())
            return
        self._fields = verdict
        self._dispatch() if self._dispatched else self.body_arrived()

    def body_arrived(self) -> None:
        """Look at the request again: more of its body may be there."""
        request = self.request
        if self._over:
            return
        if self._connection is not None:
            if request.parts or request.complete:
                self._connection.write(request.take())
                self._moved = self._proxy.now
        elif self._dispatched:  # on the way to a connection
            if sum(map(len, request.parts)) > HIGH_WATER_BYTES:
                self._client.pause_reading(Pause.BACKEND)
        elif request.complete or request.received > self._proxy.settings.replay_body_bytes:
            if request.complete:
                self._replayable = True
                self._body = request.take()
            self._dispatched = True
            self._dispatch()
        else:
            if request.head.expects_continue and not request.received:
                self._client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._moved = self._proxy.now

    def pause_receiving(self) -> None:
        """Take no more of the answer: the client is slower."""
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_receiving(self) -> None:
        """Go on taking the answer."""
        self._moved = self._proxy.now
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
        self._settle(self._detach(), self._proxy.clock())

    def check(self, now: float) -> None:
        """End the request when somebody has been silent for too long."""
        request, settings = self.request, self._proxy.settings
        from_client = not request.complete and not self._sending_paused
        since = self._started
        if streams := self._proxy.stream_paths.include(request.head.target):
            self._pace = self._pace or Pace(self._started)
            enough = settings.stream_min_bytes_per_s * settings.request_timeout_s
            since = self._pace.slow_since(now, request.received, enough, excused=not from_client)
        problem = overdue(
            settings,
            passed_s=now - since,
            silent_s=now - self._moved,
            from_client=from_client,
            to_client=self._client.is_stalled,
            streams=streams,
        )
        if problem is None:
            return
        if self._client.is_stalled:
            self._client.abort()
        else:
            if not from_client and self._backend is not None:
                self._backend.failures += 1
            self.fail(problem)

    def fail(self, problem: Problem) -> None:
        """Answer with a problem; when the answer has begun, break it off instead."""
        if self._status:
            self._client.abort(flush=self._chunked)
            return
        self._status = problem.status
        self._proxy.counters.own_answers[problem.status // 100] += 1
        request = self.request
        close = not self._may_keep_alive() or request.head.http_1_0
        backend = self._detach()
        self._client.write(
            serialise(
                problem,
                self._request_id,
                close=close,
                body=request.head.method != b"HEAD",
                fields=self._fields,
            )
        )
        self._settle(backend, self._proxy.clock())
        self._client.exchange_over(close=close)

    def response_arrived(self) -> None:
        """Pass on what the backend's connection has read."""
        connection, backend = self._connection, self._backend
        if connection is None or backend is None:
            return
        reader = connection.reader
        if reader.interims:
            if not self.request.head.http_1_0:
                self._client.write(reader.interims)
            reader.interims = b""
        head = reader.head
        if head is None:
            return
        out = b""
        now = self._proxy.clock()
        if not self._status:
            if head.draining:
                backend.draining("it says that it is being stopped")
            if not head.overloaded:  # how fast it refuses says nothing about how fast it answers
                backend.observe_latency(now - self._attempt_started)
            elif self._goes_elsewhere(head.overloaded):
                return
            self._status = head.status
            self._answered = now
            out, self._chunked, self._close = begin_answer(
                head,
                self._request_id,
                self._fields,
                http_1_0=self.request.head.http_1_0,
                close=not self._may_keep_alive(),
            )
        if reader.parts:
            body = b"".join(reader.parts)
            reader.parts.clear()
            self._sent += len(body)
            out += b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body
        if reader.complete:
            self._client.write(out + b"0\r\n%b\r\n" % reader.trailers if self._chunked else out)
            self._finish(now, reuse=reader.reusable and self.request.complete)
        else:
            self._client.write(out)
            self._moved = self._proxy.now

    def response_failed(self, reason: str) -> None:
        """Tell the client that the backend spoke no HTTP."""
        self._broken(f"a replica's answer is not valid: {reason}")

    def backend_closed(self) -> None:
        """End the answer, try again elsewhere, or tell the client."""
        connection, backend = self._connection, self._backend
        if connection is None or backend is None:
            return
        head = connection.reader.head
        if head is not None and head.framing == "close":
            if self._chunked:
                self._client.write(b"0\r\n\r\n")
            self._finish(self._proxy.clock(), reuse=False)
        elif connection.heard:
            self._broken("a replica broke off its answer")
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
        self._moved = self._proxy.now
        self._client.resume_reading(Pause.BACKEND)

    def _may_keep_alive(self) -> bool:
        request = self.request
        return request.head.keep_alive and request.complete and not self._proxy.draining

    def _finish(self, now: float, *, reuse: bool) -> None:
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
            self._backend = self._connection = None
            backend.active -= 1
            backend.put_idle(connection, proxy.now)
        else:
            self._detach()
        backend.answers[self._status // 100] += 1
        self._settle(backend, now)
        # What is left of an unfinished body is not read as a next request.
        self._client.exchange_over(close=self._close or not self.request.complete)

    def _settle(self, backend: Backend | None, now: float) -> None:
        """Count, remember and log; the request is over."""
        self._over = True
        proxy = self._proxy
        counters = proxy.counters
        counters.active -= 1
        if proxy.backends.queue.waiting:
            proxy.backends.request_over(self)
        if self._in_budget:
            proxy.retry_budget.leave(counters.active)
        trace_id = ""
        if self._trace is not None:
            trace_id = self._trace.id
            self._trace.end(self._status, self._retries)
        proxy.settle(
            (
                self._request_id, self._client.address, self.request.head, self._fields,
                proxy.backends.in_use, self.tried, backend, self._status, self._sent,
                self._started, self._answered, now, self._retries, trace_id,
            )
        )  # fmt: skip

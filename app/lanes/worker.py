"""gunicorn's threaded worker, with lanes before its threads."""

import selectors
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    ThreadWorker,
)

from app.lanes.admission import Admission
from app.lanes.departing import Departing
from app.lanes.head import Head, look
from app.lanes.lane import Cause, Lane, LaneName
from app.lanes.paths import LanePaths
from app.lanes.refusal import refusal
from app.waiting_client import WAITED_KEY

# The longest head that the balancer lets through is half of this.
_PEEK_BYTES = 65536
_LOOK_S = 1.0
# whose head is not there at once is slow, or no client of ours: a matter of the widest lane
_UNKNOWN: LaneName = "bulk"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(eq=False, slots=True)
class Turn:
    """A request on its connection, from its arrival on."""

    connection: Any
    lane: LaneName
    head: Head | None
    arrived: float
    begun: float = 0.0


class LaneWorker(ThreadWorker):  # type: ignore[misc]
    """Gives a request a thread when its lane allows it, and refuses it unread when it cannot.

    All of this happens in gunicorn's one loop, where a refusal costs no thread, no JSON and no
    lock: some 50 microseconds, whatever the threads do.  So that many more requests can be refused
    than answered.
    """

    admission: Admission[Turn]
    lane_paths: LanePaths

    def init_process(self) -> None:
        """Prepare, and serve until stopped."""
        self._peeked = bytearray(_PEEK_BYTES)
        self._now_serving = threading.local()
        self._departing: Departing | None = None
        self._looked = 0.0
        self._kept: Future[bool] = Future()
        self._kept.set_result(True)
        super().init_process()

    def telling_wait(self, application: Application) -> Application:
        """Return `application`, which is told how long each request has waited."""

        def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            turn: Turn | None = getattr(self._now_serving, "turn", None)
            if turn is not None:
                environ[WAITED_KEY] = time.monotonic() - turn.arrived
            return application(environ, start_response)

        return serve

    def enqueue_req(self, conn: Any) -> None:
        """Take a request that begins to arrive."""
        try:
            data = self._peek(conn)
        except BlockingIOError:
            self._await_data(conn)
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
            return
        head = look(data)
        name = _UNKNOWN
        budget_s = float("inf")
        if head is not None:
            name = self.lane_paths.lane_of(head.method, head.target, head.accept)
            budget_s = head.budget_s
        lane = self.admission.lanes[name]
        turn = Turn(conn, name, head, time.monotonic())
        outcome = lane.arrive(turn, turn.arrived, budget_s)
        if outcome == "begin":
            self._begin(turn)
        elif outcome != "wait":
            self._refuse(turn, outcome)

    def handle(self, conn: Any) -> Any:
        """Serve one request, in a thread."""
        self._now_serving.turn = conn.turn
        try:
            return super().handle(conn)
        finally:
            self._now_serving.turn = None

    def finish_request(self, conn: Any, fs: Any) -> None:
        """See to the connection whose request is over, and to those that wait for its place."""
        turn: Turn = conn.turn
        lane = self.admission.lanes[turn.lane]
        lane.leave(time.monotonic() - turn.begun)
        super().finish_request(conn, fs)
        self._admit(lane)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve events for at most `timeout` seconds, then what is due by time."""
        lanes = self.admission.lanes.values()
        deadlines = [each for lane in lanes if (each := lane.next_deadline) is not None]
        if deadlines:
            timeout = min(timeout, max(0.0, min(deadlines) - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)
        now = time.monotonic()
        for lane in lanes:
            if lane.waiting:
                for turn in lane.expire(now):
                    self._refuse(turn, "expired")
                self._admit(lane)
        if self._departing is not None:
            self._departing.sweep(now)
            self.nr_conns -= self._departing.ended
            self._departing.ended = 0
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self.admission.look()

    def _cap_keepalive(self, deadline: float) -> None:
        """Close by `deadline` also connections that have sent nothing yet."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _peek(self, conn: Any) -> bytes:
        """Return what there is of a request.  Raises BlockingIOError when nothing is there yet."""
        read_ahead: bytes = b"" if conn.parser is None else conn.parser.unreader.buf.getvalue()
        if read_ahead:
            return read_ahead
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        size = conn.sock.recv_into(self._peeked, _PEEK_BYTES, flags)
        return bytes(memoryview(self._peeked)[:size])

    def _await_data(self, conn: Any) -> None:
        """Wait for a connection's first bytes, in the loop: gunicorn would take a thread."""
        conn.sock.setblocking(False)
        wait_s = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        conn.timeout = time.monotonic() + wait_s
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _begin(self, turn: Turn) -> None:
        conn = turn.connection
        conn.turn = turn
        conn.data_ready = True
        turn.begun = time.monotonic()
        super().enqueue_req(conn)

    def _admit(self, lane: Lane[Turn]) -> None:
        for turn in lane.admit():
            self._begin(turn)

    def _refuse(self, turn: Turn, cause: Cause) -> None:
        conn, head = turn.connection, turn.head
        self.admission.refused(turn.lane, cause)
        keep = head is not None and self.alive and self._take_whole(conn, head)
        answer = refusal(
            (head.request_id if head is not None else None) or uuid.uuid4().hex,
            turn.lane,
            cause,
            retry_after_s=self.admission.lanes[turn.lane].expected_wait_s,
            with_body=head is None or head.method != "HEAD",
            close=not keep,
        )
        try:
            sent = conn.sock.send(answer, socket.MSG_DONTWAIT)
        except OSError:
            sent = 0
        if sent < len(answer):
            self._drop(conn)  # it does not even read
        elif keep:
            conn.init()
            super().finish_request(conn, self._kept)
        else:
            if self._departing is None:
                self._departing = Departing(self.poller)
            self._departing.add(conn.sock, time.monotonic())

    def _take_whole(self, conn: Any, head: Head) -> bool:
        """Take the request off its connection, if that leaves it where the next one begins."""
        if head.length is None or head.length > _PEEK_BYTES:
            return False
        if conn.parser is not None and conn.parser.unreader.buf.getvalue():
            return False
        flags = socket.MSG_DONTWAIT
        try:
            if (
                conn.sock.recv_into(self._peeked, head.length, flags | socket.MSG_PEEK)
                < head.length
            ):
                return False
            conn.sock.recv_into(self._peeked, head.length, flags)
        except OSError:
            return False
        return True

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

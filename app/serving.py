"""gunicorn's threaded worker, taught to drain where a balancer can see it, and to speak JSON."""

import json
import os
import time
import uuid
from typing import Any

from gunicorn.workers import base  # type: ignore[import-untyped]

from app.birth import hear_signals
from app.lanes.departing import see_off
from app.lanes.paths import LanePaths
from app.lanes.worker import LaneWorker
from app.main import ENDPOINTS, begin_drain, close
from app.problem_types import BAD_REQUEST, INTERNAL_ERROR
from app.problems import MEDIA_TYPE
from app.request_id import HEADER
from app.services import EXTENSION, Services
from app.trailers import offering_trailers


class ReplicaWorker(LaneWorker):
    """Serves requests in threads, until told to stop; then drains.

    On SIGTERM gunicorn alone stops accepting at once: a balancer learns that from connections
    which fail.  Here the replica first says 503 on `/health/ready`, and serves on for
    `app_drain_s`; only then it stops accepting, and finishes what it has.
    """

    age: int
    alive: bool
    cfg: Any
    services: Services
    wsgi: Any
    draining_since: float | None = None

    def load_wsgi(self) -> None:
        """Build the application, and let its readiness follow this worker's drain."""
        super().load_wsgi()
        self.services = self.wsgi.extensions[EXTENSION]
        self.services.readiness.watch_drain(lambda: self.draining_since is not None)
        if self.age > self.cfg.workers:  # gunicorn numbers them: the first ones came before
            self.services.events.emit(
                "process_restarted", "another serving process has ended", pid=os.getpid()
            )
        self.admission = self.services.admission
        self.lane_paths = LanePaths(ENDPOINTS)
        self.wsgi = self.telling_wait(offering_trailers(self.wsgi))

    def init_signals(self) -> None:
        """Install the handlers, then hear what came before them."""
        super().init_signals()
        hear_signals()

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002 - gunicorn's signature
        """Begin to drain (SIGTERM)."""
        if self.draining_since is None:
            self.draining_since = time.monotonic()
            # wakes the loop, which then looks again; while the application is still being built,
            # there is no loop yet, and nothing to drain until it runs
            self.method_queue.defer(self._begin_drain)

    def _begin_drain(self) -> None:
        begin_drain(self.services)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve events for at most `timeout` seconds; stop accepting once the drain is over."""
        if self.alive and self.draining_since is not None:
            left = self.draining_since + self.services.settings.app_drain_s - time.monotonic()
            if left <= 0:
                self.alive = False
                return
            timeout = min(timeout, left)
        super().wait_for_and_dispatch_events(timeout)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stop or resume accepting; at the end for good, with nobody left waiting.

        gunicorn keeps the socket open until the last request is done.  Who connects meanwhile
        would wait for that, and then be reset; so take in who is there, and refuse the others.
        """
        if self.alive:
            super().set_accept_enabled(enabled)
            return
        for listener in self.sockets:
            before = -1
            while self.nr_conns != before:
                before = self.nr_conns
                self.accept(listener)
        super().set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()

    def handle(self, conn: Any) -> Any:
        """Serve one request; if the connection ends with it, see it off in this thread.

        gunicorn does that in its one loop, where a peer that does not close stops everybody for
        two seconds, and it reads so little of an unread body that the answer, such as 413, is
        lost in a reset.
        """
        kept = super().handle(conn)
        if kept is False:
            see_off(conn.sock)
            # gunicorn would close it again, fail, and count it as ended twice: a worker that
            # believes that it has no connections ends in the middle of its last requests
            conn.close = _leave_closed
        return kept

    def run(self) -> None:
        """Serve until stopped; then end what the application has running.

        Requests that are being worked on need their connections to PostgreSQL to the end.
        gunicorn waits for connections, and does not see a request that a thread has just taken:
        one that met a closed pool would be answered with 503, which no balancer tries again.
        """
        try:
            super().run()
        except SystemExit:  # a quick end was asked for
            close(self.services)
            raise
        self.tpool.shutdown(wait=True)
        close(self.services)


def _leave_closed(graceful: bool = False) -> None:
    """Do nothing: the connection is closed already."""


def write_problem(sock: Any, status: int, reason: str, message: str) -> None:
    """Answer bytes that are no valid request; gunicorn would answer in HTML."""
    request_id = uuid.uuid4().hex
    kind = INTERNAL_ERROR if status >= 500 else BAD_REQUEST
    detail = message or "The replica failed before it could read the request."
    document = {"type": kind.uri, "title": reason, "status": status}
    document |= {"detail": detail, "instance": request_id}
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"{HEADER}: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    base.util.write_nonblock(sock, head.encode("latin-1") + body)


base.util.write_error = write_problem

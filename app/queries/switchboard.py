"""What replicas tell each other about queries: end this one, that one has changed."""

import json
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog

from app.queries.control import Cause
from app.queries.running import RunningQueries
from db.database import Database
from db.errors import DatabaseError
from db.notices import COUNT_LISTENERS, SEND

ANSWER_S = 1.0

Found = Literal["found", "unknown", "unsure"]

_log = structlog.stdlib.get_logger("app.queries")


class Switchboard:
    """Finds a query on whichever process runs it, over PostgreSQL's notices.

    Not over Redis: a query cannot run without PostgreSQL, but well without Redis.  Every process
    answers each question, and the asker knows how many listen, so "nobody has it" is certain.
    """

    def __init__(
        self,
        database: Database,
        running: RunningQueries,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._running = running
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked: dict[str, queue.SimpleQueue[bool]] = {}
        self._expected: dict[threading.Event, str] = {}
        self.on_queued: Callable[[], None] = lambda: None

    def cancel_here(self, query_id: str, cause: Cause) -> bool:
        """End all queries of that id that run in this process; False if there is none."""
        return self._running.cancel(query_id, cause)

    def cancel(self, query_id: str, cause: Cause) -> Found:
        """End all queries of that id, wherever they run.

        "unsure": somebody did not answer in time.  Raises db.errors.
        """
        if self.cancel_here(query_id, cause):
            return "found"
        token = secrets.token_hex(8)
        answers = self._asked[token] = queue.SimpleQueue[bool]()
        try:
            with self._database.connection() as connection:
                row = connection.execute(COUNT_LISTENERS).fetchone()
                notice = {"cancel": query_id, "cause": cause, "token": token}
                connection.execute(SEND, [json.dumps(notice)])
            return self._collect(answers, int(row[0] or 0) if row else 0)
        finally:
            del self._asked[token]

    def _collect(self, answers: "queue.SimpleQueue[bool]", listeners: int) -> Found:
        deadline = self._monotonic() + ANSWER_S
        for _ in range(listeners):
            try:
                if answers.get(timeout=max(0.0, deadline - self._monotonic())):
                    return "found"
            except queue.Empty:
                return "unsure"
        return "unknown" if listeners else "unsure"

    @contextmanager
    def expecting(self, query_id: str) -> Iterator[threading.Event]:
        """Give an event that is set whenever an asynchronous query changes its state."""
        event = threading.Event()
        with self._lock:
            self._expected[event] = query_id
        try:
            yield event
        finally:
            with self._lock:
                del self._expected[event]

    def heard(self, payload: str) -> None:
        """Act on a notice.  One that is not ours, or of a later version, is left alone."""
        notice = json.loads(payload)
        if not isinstance(notice, dict):
            return
        if "cancel" in notice:
            had = self._running.cancel(str(notice["cancel"]), notice["cause"])
            self._send({"answer": notice["token"], "had": had})
        elif "answer" in notice:
            asked = self._asked.get(notice["answer"])
            if asked is not None:
                asked.put(bool(notice["had"]))
        elif "changed" in notice:
            if notice["state"] == "queued":
                self.on_queued()
            with self._lock:
                events = [e for e, wanted in self._expected.items() if wanted == notice["changed"]]
            for event in events:
                event.set()

    def _send(self, notice: dict[str, Any]) -> None:
        try:
            with self._database.connection() as connection:
                connection.execute(SEND, [json.dumps(notice)])
        except DatabaseError as error:
            _log.warning("notice not sent", error=str(error))

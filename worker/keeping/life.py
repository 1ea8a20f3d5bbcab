"""What a keeper's process does from its start to its end: waits for work, then makes rounds."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import psycopg
import structlog

from db.database import Database
from db.errors import DatabaseError
from db.tracking.identity import database_identity
from db.tracking.orders import is_any_work
from segments.folder import SegmentFolder

_log = structlog.get_logger(__name__)


class MakesRounds(Protocol):
    """As segments.rounds.Rounds."""

    def make_one(self) -> None:
        """Do what there is to do."""


class KeeperLife:
    """Goes on until `stopping` is set; what PostgreSQL refuses, or ends, it tries again.

    `wanted` are tables that the settings want accelerated.
    """

    def __init__(
        self,
        owner: Database,
        folder: SegmentFolder,
        wanted: Sequence[tuple[str, str]],
        stopping: threading.Event,
        pause_s: float,
    ) -> None:
        self._owner = owner
        self._folder = folder
        self._wanted = wanted
        self._stopping = stopping
        self._pause_s = pause_s
        self._in_trouble = False

    def await_work(self) -> bool:
        """Return whether there is any before the end: until then, little need be loaded."""
        found = bool(self._wanted)

        def look() -> None:
            nonlocal found
            with self._owner.connection() as owner:
                files = self._folder.files(database_identity(owner))
                found = is_any_work(owner) or any(True for _ in files)

        while not found and not self._stopping.is_set():
            self._try(look)
            if not found:
                self._stopping.wait(self._pause_s)
        return not self._stopping.is_set()

    def make_rounds(self, rounds: MakesRounds) -> None:
        """Make them, with pauses."""
        while not self._stopping.is_set():
            self._try(rounds.make_one)
            self._stopping.wait(self._pause_s)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (DatabaseError, psycopg.Error) as error:
            if not self._in_trouble:
                _log.warning("the keeper waits for PostgreSQL", error=str(error))
            self._in_trouble = True
        else:
            self._in_trouble = False

"""Shapes of queries that are not split any more, because a split answer was once wrong."""

import threading

import structlog

from db.database import Database
from db.errors import DatabaseError
from query.shape import Shape

_log = structlog.stdlib.get_logger("app.self_check")


class SplittingOff:
    """The shapes, as all replicas share them in PostgreSQL; asking is free.

    What is found here counts here at once, and elsewhere after the next `refresh`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._here: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()

    def __contains__(self, digest: str) -> bool:
        """Tell whether queries of this shape run whole."""
        return digest in self._known or digest in self._here

    def __len__(self) -> int:
        """Count the shapes."""
        return len(self._known | self._here)

    def add(self, shape: Shape, split_digest: str, whole_digest: str) -> None:
        """Run queries of this shape whole from now on."""
        with self._lock:
            self._here |= {shape.digest}
            try:
                with self._database.connection() as connection:
                    connection.execute(
                        "INSERT INTO millrace.splitting_off "
                        "(shape, masked, split_digest, whole_digest) "
                        "VALUES ($1, $2, $3, $4) ON CONFLICT (shape) DO NOTHING",
                        [shape.digest, shape.masked, split_digest, whole_digest],
                    )
            except DatabaseError as error:
                _log.error("shape not shared", shape=shape.digest, error=str(error))
                return
            # an operator may delete it before it is read again
            self._known |= {shape.digest}

    def refresh(self) -> None:
        """Read what all replicas found; while PostgreSQL is away, keep what is known."""
        with self._lock:  # also while PostgreSQL is asked: what is added meanwhile is not missed
            try:
                with self._database.connection() as connection:
                    rows = connection.execute("SELECT shape FROM millrace.splitting_off").fetchall()
            except DatabaseError:
                return
            known = frozenset(str(row[0]) for row in rows)
            # one that an operator has deleted splits again, here too
            self._here -= self._known - known
            self._known = known

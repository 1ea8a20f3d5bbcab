"""Keepers as workers run them: processes whose reports are gathered."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from worker.keeping.metrics import KeepingMetrics
from worker.keeping.process import KeeperProcess

QUICK = {
    "MILLRACE_SEGMENTS_ROUND_S": "0.05",
    "MILLRACE_SEGMENTS_REFRESH_AGE_S": "0",
    "MILLRACE_SEGMENTS_CLEAN_UP_S": "0.1",
    "MILLRACE_SEGMENTS_BUCKET_ROWS": "1000",
    "MILLRACE_SEGMENTS_NICE": "0",  # on a busy machine it would come last, and tests wait for it
}


def eventually(condition: Callable[[], object], what: str = "it") -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"{what} never happened"
        time.sleep(0.02)


class RunningKeeper:
    """A keeper's process; `told` are the events that it told of, with their facts."""

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        self.registry = CollectorRegistry()
        self.told: list[tuple[str, str, dict[str, object]]] = []
        self.process = KeeperProcess(
            KeepingMetrics(self.registry),
            lambda name, cause, /, **facts: self.told.append((name, cause, facts)),
            command=command or (sys.executable, "-m", "worker.keeping"),
        )

    def events(self) -> list[str]:
        return [name for name, _, _ in self.told]

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    @property
    def rows(self) -> float:
        return self.value("millrace_worker_segment_rows_total")

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        self.process.join()


def environment(patch: pytest.MonkeyPatch, url: str, folder: Path, **more: str) -> None:
    """Set what keepers that are started from now on find."""
    for name, value in {**QUICK, **more}.items():
        patch.setenv(name, value)
    patch.setenv("DATABASE_URL", url)
    patch.setenv("MILLRACE_SEGMENTS_FOLDER", str(folder))


def clean_rows(url: str, table: str) -> int:
    """Return how many rows all clean segments of a table hold; -1 while some are dirty."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT coalesce(sum(s.row_count), 0)::int FROM millrace.segments s"
            " WHERE s.id = ANY (c.clean)), cardinality(c.dirty) + (SELECT count(*)"
            " FROM millrace.buckets b JOIN millrace.accelerated_tables a ON a.id = b.accelerated"
            " WHERE a.relation = c.relation AND b.is_current AND NOT EXISTS (SELECT FROM"
            " millrace.segments s WHERE s.bucket = b.id AND s.state = 'ready')), c.problem"
            " FROM millrace_tracking.check_segments(ARRAY[to_regclass(%s)::oid]) c",
            [table],
        ).fetchone()
    if row is None or row[1] or row[2] is not None:
        return -1
    return int(row[0])

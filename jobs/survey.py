"""How much there is to do: jobs and tasks by kind and state, for metrics and the status call."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from db.database import Database
from tasks.lanes import BULK, LaneStatus

FRESH_S = 5.0
# however many tasks are open, counting them takes at most this share of the time
MOST_SHARE = 0.05

# Over partial indexes: what is done is not looked at.
_COUNT = """SELECT 'job', kind, state, count(*), 0, NULL FROM jobs
 WHERE state IN ('queued', 'running', 'paused') GROUP BY kind, state
UNION ALL
SELECT 'task', kind, state, count(*), count(*) FILTER (WHERE state = 'ready' AND due_at <= now()),
       extract(epoch FROM now() - min(due_at) FILTER (WHERE state = 'ready'))
  FROM job_tasks WHERE state IN ('held', 'ready', 'leased') GROUP BY kind, state
UNION ALL
SELECT 'task', kind, 'dead', count(*), 0, NULL FROM job_tasks WHERE state = 'dead' GROUP BY kind"""


@dataclass(frozen=True)
class Census:
    """Numbers by (kind, state): of jobs that are not finished; of tasks that are open or dead.

    `due` tasks could be claimed now, and the oldest of them has been for `oldest_due_s` seconds.
    """

    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    tasks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    due: int = 0
    oldest_due_s: float = 0.0

    def lane(self) -> LaneStatus:
        """Return how full the bulk lane is: what could be claimed now, and what is held."""
        held = sum(count for (_, state), count in self.tasks.items() if state == "leased")
        return LaneStatus(BULK.name, self.due + held, held)


class Survey:
    """Counts at most every five seconds, however many ask; raises db.errors."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._census = Census()
        self._fresh_until = float("-inf")

    def census(self) -> Census:
        """Return what was counted last, or count now."""
        with self._lock:
            began = self._clock()
            if began >= self._fresh_until:
                self._census = self._count()
                now = self._clock()
                self._fresh_until = now + max(FRESH_S, (now - began) / MOST_SHARE)
            return self._census

    def _count(self) -> Census:
        with self._database.connection() as connection:
            rows = connection.execute(_COUNT).fetchall()
        counts: dict[str, dict[tuple[str, str], int]] = {"job": {}, "task": {}}
        for what, kind, state, count, _, _ in rows:
            counts[what or ""][kind or "", state or ""] = int(count or 0)
        ages = (float(age) for *_, age in rows if age is not None)
        return Census(
            counts["job"],
            counts["task"],
            due=sum(int(due or 0) for *_, due, _ in rows),
            oldest_due_s=max(0.0, *ages, 0.0),
        )

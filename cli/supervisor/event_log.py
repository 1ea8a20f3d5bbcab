"""The supervisor's own events: lines of JSON in a file, for it has no metrics to count them in."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cli.supervisor.change import Change, State
from cli.supervisor.log_files import rotate

# each is explained in docs/trouble.md
EVENTS: Mapping[State, str] = {
    State.WAITING: "process_restarted",
    State.UNHEALTHY: "process_unhealthy",
    State.FAILED: "process_given_up",
}


class EventLog:
    """Notes the changes of programs that nobody asked for; each line has their count so far."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def note(self, change: Change) -> None:
        """Write a line if the change is an event; may be called by any thread."""
        name = EVENTS.get(change.state)
        if name is None:
            return
        with self._lock:
            self._counts[name] += 1
            line = {
                "timestamp": self._now().isoformat(),
                "level": "warning",
                "message": name.replace("_", " "),
                "event": name,
                "cause": change.detail,
                "program": change.name,
                "count": self._counts[name],
            }
            # a full disk must not bring down a supervisor
            with suppress(OSError):
                rotate(self._path)
                with self._path.open("a") as file:
                    file.write(json.dumps(line) + "\n")

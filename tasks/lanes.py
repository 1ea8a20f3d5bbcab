"""The lanes of the queue: the names of their keys, and how full they are."""

from dataclasses import dataclass

import redis

from tasks.errors import QueueUnavailable
from tasks.link import borrowed

PREFIX = "millrace:"
GROUP = "workers"


@dataclass(frozen=True)
class Lane:
    """One stream of tasks with its consumer group; nothing of a `secret` payload is kept."""

    name: str
    secret: bool = False

    @property
    def stream(self) -> str:
        """Key of the stream."""
        return f"{PREFIX}lane:{self.name}"

    @property
    def takers(self) -> str:
        """Key of the sorted set: workers that take tasks, by when their heartbeat lapses (ms)."""
        return f"{PREFIX}lane:{self.name}:takers"


QUERY = Lane("query")
PASSWORD = Lane("password", secret=True)
BULK = Lane("bulk")


@dataclass(frozen=True)
class LaneStatus:
    """How full a lane is: `length` tasks in all, `pending` of them held by a worker."""

    name: str
    length: int
    pending: int


def oldest_age_s(client: redis.Redis, lane: Lane) -> float:
    """Return for how long the lane's oldest task has been there, held or not; 0 without a task.

    By Redis's clock, in seconds.  Raises QueueUnavailable.
    """
    with borrowed(client) as link:
        entries, now = link.calls(("XRANGE", lane.stream, "-", "+", "COUNT", 1), ("TIME",))
    match entries, now:
        case [[bytes(entry_id), *_]], [bytes(seconds), bytes(microseconds)]:
            queued_s = int(entry_id.partition(b"-")[0]) / 1000
            return max(0.0, int(seconds) + int(microseconds) / 1e6 - queued_s)
        case [], _:
            return 0.0
        case _:
            raise QueueUnavailable(f"Redis answered {entries!r}")


def reply_key(reply_to: str) -> str:
    """Key of the list that answers are pushed to."""
    return f"{PREFIX}reply:{reply_to}"


def cancel_key(reply_to: str) -> str:
    """Key of the marker that says: nobody waits for these answers any more."""
    return f"{PREFIX}cancel:{reply_to}"


def lane_status(client: redis.Redis, lane: Lane) -> LaneStatus:
    """Count the lane's tasks.  Raises QueueUnavailable."""
    with borrowed(client) as link:
        length, pending = link.calls(("XLEN", lane.stream), ("XPENDING", lane.stream, GROUP))
    match length, pending:
        case int(), [int(held), *_]:
            return LaneStatus(lane.name, length, held)
        case int(), _:  # no group yet: nothing is held
            return LaneStatus(lane.name, length, 0)
        case _:
            raise QueueUnavailable(f"Redis answered {length!r}")

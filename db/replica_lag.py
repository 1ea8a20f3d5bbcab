"""How old what a read replica shows can be at most, by positions in the write-ahead log alone.

`pg_last_xact_replay_timestamp()` answers another question: on an idle primary it grows without end,
though nothing is missing, and "received all that was sent" is also said by a replica whose network
has been cut without a word.  So the primary is asked for its position, again and again.  A replica
that has replayed a position shows all that was committed before that position was asked for.  No
clock but our own, monotonic one is in it.
"""

from collections import deque
from dataclasses import dataclass

SAMPLES = 1000  # with one each second, more than any request wants to look back

# Two positions.  All that is visible has been inserted; but what queries clean up on their way is
# inserted too, and lies there for ten seconds on a quiet primary before it is written.  All that is
# visible has also been flushed, but for asynchronous commits, which wait for three rounds of the
# log's writer at most (PostgreSQL's documentation, "Asynchronous Commit").
PRIMARY_POSITION = (
    "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text, "
    "substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8), "
    "pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.pg_current_wal_flush_lsn()::text, "
    "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay')"
)
_ROUNDS = 3
# Its timeline as of its last restart point: after a failover a replica counts again only once it
# has one on the new timeline, since positions of two timelines cannot be compared.
REPLICA_POSITION = (
    "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text, "
    "(SELECT to_hex(timeline_id) FROM pg_catalog.pg_control_checkpoint()), "
    "pg_catalog.pg_last_wal_replay_lsn()::text WHERE pg_catalog.pg_is_in_recovery()"
)
_PAGE_BYTES = 8192
_LONGEST_PAGE_HEADER = 40


@dataclass(frozen=True)
class Position:
    """A place in the write-ahead log of a cluster (`system`), on one of its timelines."""

    system: str
    timeline: int
    place: int

    @classmethod
    def parse(cls, system: str, timeline: str, lsn: str) -> "Position":
        """Read what the queries above return: the timeline in hex, the place as `0/3000060`."""
        high, _, low = lsn.partition("/")
        return cls(system, int(timeline, 16), (int(high, 16) << 32) + int(low, 16))

    def is_shown_at(self, replayed: "Position") -> bool:
        """Tell whether a replica that has replayed so far shows all before this position.

        A primary whose last record ends with a page says where the next one begins, behind the
        next page's header; a replica says where the last one ended.
        """
        behind_header = self.place % _PAGE_BYTES
        least = self.place - (behind_header if behind_header <= _LONGEST_PAGE_HEADER else 0)
        same = (self.system, self.timeline) == (replayed.system, replayed.timeline)
        return same and replayed.place >= least


class PrimaryLog:
    """The primary's positions, and of when each tells.  For one thread at a time."""

    def __init__(self) -> None:
        self._inserted: deque[tuple[float, Position]] = deque(maxlen=SAMPLES)
        self._flushed: deque[tuple[float, Position]] = deque(maxlen=SAMPLES)

    def add(self, began: float, inserted: Position, flushed: Position, delay_s: float) -> None:
        """Note where the primary was, asked at `began` or later; `delay_s` of the log's writer."""
        if self._inserted and self._inserted[-1][1].timeline != inserted.timeline:
            self._inserted.clear()
            self._flushed.clear()
        self._inserted.append((began, inserted))
        self._flushed.append((began - _ROUNDS * delay_s, flushed))

    def covered_at(self, replayed: Position) -> float | None:
        """Return the latest time of which the replica shows everything; None: not known."""
        newest = [_newest(samples, replayed) for samples in (self._inserted, self._flushed)]
        return max((when for when in newest if when is not None), default=None)


def _newest(samples: deque[tuple[float, Position]], replayed: Position) -> float | None:
    return next((when for when, one in reversed(samples) if one.is_shown_at(replayed)), None)

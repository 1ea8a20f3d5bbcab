"""What there is of segments: their files, and how many of them are clean."""

from dataclasses import dataclass
from pathlib import Path

from bench.query.stack import Stack

_READY = """SELECT a.table_name, s.file_name, s.row_count, s.byte_size,
       extract(epoch FROM s.ready_at - s.registered_at)::float8
  FROM millrace.segments s JOIN millrace.accelerated_tables a ON a.id = s.accelerated
 WHERE s.state = 'ready' ORDER BY a.table_name, lower(s.ranks) NULLS FIRST"""
# what a query would see: rows of clean segments among those of all segments
_SHARE = """
SELECT a.table_name, coalesce(sum(s.row_count) FILTER (WHERE s.id = ANY (c.clean)), 0),
       coalesce(sum(s.row_count), 0), count(*) FILTER (WHERE NOT s.id = ANY (c.clean)), count(*)
  FROM millrace.accelerated_tables a
 CROSS JOIN LATERAL millrace_tracking.check_segments(ARRAY[a.relation]) c
  JOIN millrace.segments s ON s.accelerated = a.id AND s.state = 'ready'
 GROUP BY 1 ORDER BY 1"""


@dataclass(frozen=True)
class SegmentFile:
    """A segment that queries may use, and the seconds that its builder took."""

    table: str
    path: Path
    rows: int
    byte_size: int
    seconds: float


@dataclass(frozen=True)
class CleanShare:
    """How much of a table's segments is clean: rows, of all rows in them; and how many are not."""

    table: str
    clean_rows: int
    rows: int
    dirty: int
    segments: int


def segment_files(stack: Stack) -> list[SegmentFile]:
    """Return the segments of all tables."""
    folder = stack.options.segments
    with stack.connect() as connection:
        return [
            SegmentFile(
                str(table), folder / str(name), int(str(rows)), int(str(size)), float(str(seconds))
            )
            for table, name, rows, size, seconds in connection.execute(_READY)
        ]


def clean_shares(stack: Stack) -> list[CleanShare]:
    """Return the share of each accelerated table, as a query that begins now would find it."""
    with stack.connect() as connection:
        return [
            CleanShare(str(row[0]), *(int(str(value)) for value in row[1:]))
            for row in connection.execute(_SHARE)
        ]

"""What a replica must know of accelerated tables to have their segments read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.pool import Connection
from db.tracking.buckets import Cut, KeyRange

# the collation of a column, where "default" stands for the database's
_COLUMNS = """
SELECT json_agg(json_build_array(
           a.attname, a.atttypid::int8, a.atttypmod, coalesce(l.collname, ''),
           coalesce(CASE WHEN l.collname = 'default' THEN d.datlocprovider
                         ELSE l.collprovider END, ''),
           coalesce(CASE WHEN l.collname = 'default' THEN coalesce({locale}, d.datcollate)
                         ELSE coalesce({collation_locale}, l.collcollate) END, ''),
           coalesce(l.collisdeterministic, true)) ORDER BY a.attnum),
       min(pg_encoding_to_char(d.encoding)), millrace.tracking_problem($1::oid)
  FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
  JOIN pg_database d ON d.datname = current_database()
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"""
_LOCALES_SINCE = 170_000  # both columns had other names before
_SEGMENTS = """
SELECT s.id, s.accelerated, s.file_name, s.byte_size, encode(s.sha256, 'hex'), s.row_count,
       s.statistics, b.lower_key, b.lower_rank, b.upper_key, b.upper_rank
  FROM millrace.segments s JOIN millrace.buckets b ON b.id = s.bucket
 WHERE s.id = ANY ($1::bigint[]) AND s.state <> 'building'"""
_BYTEWISE = frozenset({"C", "POSIX", "C.UTF-8", "ucs_basic"})


@dataclass(frozen=True)
class ListedColumn:
    """A column: its type, its collation's name, and whether that sorts by the bytes of UTF-8."""

    name: str
    oid: int
    typmod: int
    collation: str
    is_bytewise: bool
    is_deterministic: bool


@dataclass(frozen=True)
class ListedSegment:
    """A segment that was ready once.  `statistics`: per column in it, with `min` and `max`."""

    id: int
    accelerated: int
    file_name: str
    byte_size: int
    sha256: str
    row_count: int
    statistics: Mapping[str, Mapping[str, Any]]
    range: KeyRange


def listed_columns(
    connection: Connection, oid: int, *, is_tracked: bool = True
) -> list[ListedColumn] | str:
    """Return a table's columns, or why segments cannot stand for it just now.

    As the owner.  Those of a tracked table stay as they are for as long as its tracking has no
    problem.
    """
    is_new = connection.info.server_version >= _LOCALES_SINCE
    query = _COLUMNS.format(
        locale="d.datlocale" if is_new else "d.daticulocale",
        collation_locale="l.colllocale" if is_new else "l.colliculocale",
    )
    row = connection.execute(query.encode(), [str(oid)]).fetchone()
    columns, encoding, problem = row if row is not None else (None, None, None)
    if columns is None:
        return "the table was dropped"
    if is_tracked and problem is not None:
        return f"tracking is broken: {problem}"
    if encoding != "UTF8":
        return f"the database is in {encoding}, and segments are in UTF8"
    return [
        ListedColumn(
            name, oid, typmod, collation, provider in ("b", "c") and locale in _BYTEWISE,
            deterministic,
        )
        for name, oid, typmod, collation, provider, locale, deterministic in json.loads(columns)
    ]  # fmt: skip


def listed_segments(connection: Connection, ids: Sequence[int]) -> list[ListedSegment]:
    """Return the segments with these ids, as far as they are there.  As the owner."""
    rows = connection.execute(_SEGMENTS, ["{" + ",".join(map(str, ids)) + "}"])
    return [
        ListedSegment(
            int(str(row[0])), int(str(row[1])), str(row[2]), int(str(row[3])), str(row[4]),
            int(str(row[5])), json.loads(row[6] or "{}"),
            KeyRange(_cut(row[7], row[8]), _cut(row[9], row[10])),
        )
        for row in rows
    ]  # fmt: skip


def _cut(key: str | None, rank: str | None) -> Cut | None:
    return None if key is None else Cut(key, int(str(rank)))

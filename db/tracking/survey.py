"""How far the acceleration of each table has come, and what it is worth."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from db.pool import Connection, Row

_TABLES = """SELECT a.id, a.relation, a.schema_name, a.table_name, a.key_column,
       coalesce(c.asked, 0), coalesce(c.answered, 0), extract(epoch FROM now() - c.asked_at),
       coalesce(c.failures, 0), c.cause, c.problem,
       (SELECT count(*) FROM millrace.table_changes l WHERE l.accelerated = a.id)
  FROM millrace.accelerated_tables a LEFT JOIN millrace.table_care c ON c.accelerated = a.id
 ORDER BY a.schema_name, a.table_name"""
_BUCKETS = """SELECT b.accelerated, extract(epoch FROM now() - b.made_at), s.id,
       extract(epoch FROM now() - s.ready_at)
  FROM millrace.buckets b
  LEFT JOIN millrace.segments s ON s.bucket = b.id AND s.state = 'ready' WHERE b.is_current"""
_SEGMENTS = """SELECT accelerated, state, count(*), sum(row_count), sum(byte_size)
  FROM millrace.segments WHERE state IN ('building', 'ready') GROUP BY accelerated, state"""
_LEFT_OUT = """SELECT DISTINCT s.accelerated, l.key, l.value
  FROM millrace.segments s, jsonb_each_text(s.left_out) AS l WHERE s.state = 'ready'"""
_CLEAN = """SELECT relation, problem, array_to_string(clean, ' ')
  FROM millrace_tracking.check_segments($1::oid[])"""


@dataclass
class Acceleration:
    """An accelerated table.

    `clean_buckets` of the `buckets` have a copy that is as good as the table, `copied_buckets` have
    any; `lag_s` is the age of the oldest copy that is not, or the time since a bucket waits for its
    first.  `byte_size` and `row_count` are those of its ready `segments`.  `problem` is one of
    db.tracking.breaks.PROBLEMS, `asked` and `answered` count queries, `failure` is why a build
    failed that has not succeeded since.
    """

    id: int
    oid: int
    schema: str
    name: str
    key_column: str
    asked: int
    answered: int
    asked_s: float | None
    failures: int
    cause: str | None
    failure: str | None
    log_rows: int
    problem: str | None = None
    buckets: int = 0
    copied_buckets: int = 0
    clean_buckets: int = 0
    lag_s: float = 0.0
    segments: int = 0
    building: int = 0
    row_count: int = 0
    byte_size: int = 0
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def clean_share(self) -> float:
        """How much of the table segments can answer for."""
        return self.clean_buckets / self.buckets if self.buckets else 0.0


def survey(owner: Connection, reader: Connection) -> list[Acceleration]:
    """Return all accelerated tables, by name; the reader tells what is clean.

    It takes no locks, so that it waits for nobody: what it tells may be over, and no query goes by
    it.
    """
    found = {one.id: one for one in map(_table, owner.execute(_TABLES))}
    clean = _clean(reader, found.values())
    for identity, made_s, segment, ready_s in owner.execute(_BUCKETS):
        one = found.get(int(str(identity)))
        if one is None:
            continue
        one.buckets += 1
        one.copied_buckets += segment is not None
        if segment is not None and int(segment) in clean:
            one.clean_buckets += 1
        else:
            one.lag_s = max(one.lag_s, float(str(made_s if segment is None else ready_s)))
    for identity, state, count, rows, size in owner.execute(_SEGMENTS):
        one = found.get(int(str(identity)))
        if one is None:
            continue
        if state == "building":
            one.building = int(str(count))
        else:
            one.segments, one.row_count = int(str(count)), int(str(rows))
            one.byte_size = int(str(size))
    for identity, column, reason in owner.execute(_LEFT_OUT):
        one = found.get(int(str(identity)))
        if one is not None:
            one.left_out[str(column)] = str(reason)
    return list(found.values())


def _clean(reader: Connection, tables: Iterable[Acceleration]) -> set[int]:
    by_oid: Mapping[int, Acceleration] = {one.oid: one for one in tables}
    oids = "{" + ",".join(map(str, by_oid)) + "}"
    clean: set[int] = set()
    for oid, problem, ids in reader.execute(_CLEAN, [oids]):
        by_oid[int(str(oid))].problem = problem
        clean.update(map(int, (ids or "").split()))
    return clean


def _table(row: Row) -> Acceleration:
    return Acceleration(
        int(str(row[0])), int(str(row[1])), str(row[2]), str(row[3]), str(row[4]),
        int(str(row[5])), int(str(row[6])), None if row[7] is None else float(row[7]),
        int(str(row[8])), row[9], row[10], int(str(row[11])),
    )  # fmt: skip


@dataclass(frozen=True)
class QueryableTable:
    """What a role may query: its columns are pairs of name and type; sizes are PostgreSQL's guess.

    `kind` is pg_class.relkind; `rows` is None where PostgreSQL has none.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[tuple[str, str], ...]
    rows: int | None
    byte_size: int


_QUERYABLE = """SELECT n.nspname, c.relname, c.relkind,
       (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod))
                        ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
       CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_table_size(t.relid)), 0)
                                         FROM pg_partition_tree(c.oid) t)
            WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) ELSE 0 END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND ($2 = '' OR c.relname = $2) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
 ORDER BY c.relname LIMIT 1000"""


def queryable(reader: Connection, schema: str, name: str = "") -> list[QueryableTable]:
    """Return what the reader may query in a schema, a thousand of it at most; or one table."""
    return [
        QueryableTable(
            str(row[0]), str(row[1]), str(row[2]),
            tuple((column, kind) for column, kind in json.loads(row[3] or "[]")),
            None if row[4] is None else int(row[4]), int(str(row[5])),
        )
        for row in reader.execute(_QUERYABLE, [schema, name])
    ]  # fmt: skip

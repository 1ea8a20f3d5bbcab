"""What PostgreSQL says of a table, a view or a query that jobs read by ranges of a key."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from db.describe import describe_result
from db.pool import Connection

BYTE_ORDER = "C"
UNVERSIONED = "unversioned"

# What a collation sorts by: 'C' where that is by code point, else provider, locale and version.
_COLLATION = f"""CASE
    WHEN l.oid IS NULL THEN ''
    WHEN c.provider = 'b' OR (c.provider = 'c' AND c.locale IN ('C', 'POSIX')) THEN '{BYTE_ORDER}'
    ELSE concat_ws(':', c.provider, c.locale, coalesce(c.version, '{UNVERSIONED}')) END"""

# By type, its modifier and collation, in order; domains are taken for what they are made of.
# `j` as JSON: the columns have other names in other versions of PostgreSQL.
_COLUMNS = f"""
WITH RECURSIVE given (place, name, type, typmod, required, sorting) AS (
    {{given}}
), base AS (
    SELECT place, type AS oid, typmod, false AS is_domain FROM given
    UNION ALL
    SELECT place, t.typbasetype, t.typtypmod, true
      FROM base JOIN pg_type t ON t.oid = base.oid AND t.typtype = 'd'
)
SELECT g.name, b.oid, format_type(b.oid, -1), b.typmod, b.is_domain, g.required, {_COLLATION},
       CASE WHEN l.oid IS NOT NULL THEN format('%I.%I', s.nspname, l.collname) END
  FROM given g JOIN base b USING (place)
  JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
  LEFT JOIN pg_collation l ON l.oid = g.sorting
  LEFT JOIN pg_namespace s ON s.oid = l.collnamespace
  LEFT JOIN pg_database d ON d.datname = current_database(),
  LATERAL (SELECT to_jsonb(l) AS l, to_jsonb(d) AS d) AS j,
  LATERAL (SELECT
     CASE WHEN l.collprovider = 'd' THEN d.datlocprovider ELSE l.collprovider END AS provider,
     CASE WHEN l.collprovider = 'd'
          THEN coalesce(j.d ->> 'datlocale', j.d ->> 'daticulocale', d.datcollate)
          ELSE coalesce(j.l ->> 'colllocale', j.l ->> 'colliculocale', l.collcollate)
          END AS locale,
     CASE WHEN l.collprovider = 'd' THEN pg_database_collation_actual_version(d.oid)
          ELSE pg_collation_actual_version(l.oid) END AS version) AS c
 ORDER BY g.place"""

_OF_TABLE = _COLUMNS.format(
    given="""SELECT attnum, attname::text, atttypid, atttypmod, attnotnull, attcollation
      FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped"""
)
_OF_QUERY = _COLUMNS.format(
    given="""SELECT place, name, g.type, typmod, false, t.typcollation
      FROM unnest($1::text[], $2::oid[], $3::int[]) WITH ORDINALITY
           AS g(name, type, typmod, place) JOIN pg_type t ON t.oid = g.type"""
)

_FIND = """SELECT c.oid, n.nspname, format('%I.%I', n.nspname, c.relname), c.relkind,
       has_table_privilege(c.oid, 'SELECT'),
       greatest(c.reltuples, s.pages * 20)::int8, s.pages
  FROM pg_class c, LATERAL (
      SELECT CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) ELSE 0 END
             / current_setting('block_size')::int AS pages) AS s,
  pg_namespace n
 WHERE n.oid = c.relnamespace AND c.oid = to_regclass($1)
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""

# B-trees over plain columns of the whole table, in the order in which the columns' own types sort.
_INDEXES = """SELECT json_agg(json_build_array(
           x.indisunique AND x.indimmediate, x.indisprimary,
           (SELECT json_agg(a.attname ORDER BY k.place)
              FROM unnest(x.indkey) WITH ORDINALITY AS k(attnum, place)
              JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
             WHERE k.place <= x.indnkeyatts)) ORDER BY x.indisprimary DESC, x.indexrelid)
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam
 WHERE x.indrelid = $1::oid AND m.amname = 'btree' AND x.indisvalid AND x.indpred IS NULL
   AND x.indexprs IS NULL AND NOT 0 <> ANY (x.indoption)
   AND NOT EXISTS (SELECT FROM unnest(x.indkey, x.indclass, x.indcollation)
                          WITH ORDINALITY AS k(attnum, opclass, sorting, place)
                     JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
                     JOIN pg_opclass o ON o.oid = k.opclass
                    WHERE k.place <= x.indnkeyatts
                      AND (NOT o.opcdefault OR a.attcollation <> k.sorting))"""

_ENCODING = "SELECT current_setting('server_encoding'), current_setting('server_version_num')"


@dataclass(frozen=True)
class Column:
    """A column: `oid` and `type` are of its base type, as one writes it, without modifier.

    `collation` is what it sorts by (see BYTE_ORDER), "" for types without one; `collation_name`
    is how SQL says it.
    """

    name: str
    oid: int
    type: str
    typmod: int
    is_domain: bool
    is_required: bool
    collation: str
    collation_name: str | None


@dataclass(frozen=True)
class Index:
    """A B-tree by which ranges of its `columns`, or of the first of them, are found."""

    is_unique: bool
    is_primary: bool
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """What is read: `sql` stands in FROM.  `rows` and `pages` are PostgreSQL's estimates."""

    name: str
    sql: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    rows: int
    pages: int
    is_plain: bool
    """Whether it can be sampled by pages."""
    encoding: str
    version: int

    def column(self, name: str) -> Column | None:
        """Return the column of that name."""
        return next((column for column in self.columns if column.name == name), None)

    def is_ordered_by(self, key: Sequence[str]) -> bool:
        """Whether an index finds ranges of these columns."""
        return any(index.columns[: len(key)] == tuple(key) for index in self.indexes)


def find_table(connection: Connection, name: str) -> Relation | None:
    """Return the table or view; None if there is none of that name that may be read."""
    try:
        found = connection.execute(_FIND, [name]).fetchone()
    except (psycopg.errors.InvalidName, psycopg.errors.InsufficientPrivilege):
        return None
    if found is None or found[4] != "t" or _is_systems(found[1] or ""):
        return None
    oid, _, sql, kind, _, rows, pages = found
    indexes = connection.execute(_INDEXES, [oid]).fetchone() if kind in ("r", "p", "m") else None
    return Relation(
        name,
        sql or "",
        _columns(connection, _OF_TABLE, [oid]),
        _indexes((indexes or (None,))[0]),
        int(rows or 0),
        int(pages or 0),
        kind in ("r", "m"),
        *_server(connection),
    )


def find_query(connection: Connection, sql: str) -> Relation:
    """Return what a query's rows are like; nothing of it is run.

    `sql` is one vetted SELECT.  Raises psycopg.Error for what PostgreSQL refuses.
    """
    with connection.transaction():
        result = describe_result(connection, sql, ())
    given = [
        _array([column.name for column in result]),
        _array([str(column.oid) for column in result]),
        _array([str(column.typmod) for column in result]),
    ]
    return Relation(
        "the query",
        f"(\n{sql.rstrip().rstrip(';')}\n)",
        _columns(connection, _OF_QUERY, given),
        (),
        0,
        0,
        False,
        *_server(connection),
    )


def _is_systems(schema: str) -> bool:
    return schema in ("information_schema", "millrace") or schema.startswith("pg_")


def _columns(connection: Connection, sql: str, values: Sequence[str | None]) -> tuple[Column, ...]:
    rows = connection.execute(sql.encode(), values).fetchall()
    return tuple(
        Column(
            name or "", int(oid or 0), type_ or "", int(typmod or -1), is_domain == "t",
            required == "t", collation or "", collation_name,
        )
        for name, oid, type_, typmod, is_domain, required, collation, collation_name in rows
    )  # fmt: skip


def _indexes(text: str | None) -> tuple[Index, ...]:
    found: list[Any] = json.loads(text or "[]") or []
    return tuple(Index(unique, primary, tuple(columns)) for unique, primary, columns in found)


def _server(connection: Connection) -> tuple[str, int]:
    encoding, version = connection.execute(_ENCODING).fetchone() or ("", "0")
    return encoding or "", int(version or 0)


def _array(texts: Sequence[str]) -> str:
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"

"""Reads where the values of a column lie, so that a table can be cut by them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from app.queries.transaction import ReadTransaction
from query.canonical import bind, chosen
from query.catalog import Table
from query.key_ranges import KEY_TYPES, KeyRange, KeyValue, key_ranges
from query.keyed import KeyCut
from query.merge import array_literal
from query.types import DATE, INT2, INT4, INT8

# `indexed`: the first column of an index that is sorted as the column is, and holds all rows
COLUMNS = """
SELECT a.attname, a.attnotnull,
       CASE WHEN l.collname IS NOT NULL
            THEN quote_ident(m.nspname) || '.' || quote_ident(l.collname) END,
       EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 JOIN pg_am h ON h.oid = x.relam AND h.amname = 'btree'
                 JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcdefault
                WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid
                  AND i.indpred IS NULL AND i.indcollation[0] = a.attcollation)
  FROM pg_attribute a
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_namespace m ON m.oid = l.collnamespace
 WHERE a.attrelid = $1::oid AND a.attname = ANY ($2::name[])
"""

# of all that lies below a table as one, or else of each table there in its turn
VALUES = """
WITH RECURSIVE below(oid) AS (
    SELECT {oid}::oid
     UNION
    SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid
), found AS (
    SELECT s.null_frac, s.most_common_vals, s.most_common_freqs, s.histogram_bounds,
           s.inherited AS of_all, greatest(c.reltuples, 1)::float8 AS tuples
      FROM below JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = {name}
     WHERE NOT s.inherited OR c.oid = {oid}::oid
), best AS (
    SELECT * FROM found WHERE of_all OR NOT EXISTS (SELECT FROM found f WHERE f.of_all)
), spread AS (
    SELECT h.v, 0 AS at,
           CASE WHEN h.place > 1 THEN
               tuples * greatest(0, 1 - null_frac - coalesce(
                   (SELECT sum(f) FROM unnest(most_common_freqs) AS f), 0))
               / greatest(cardinality(histogram_bounds::text::text[]) - 1, 1) ELSE 0 END AS below
      FROM best, unnest(histogram_bounds::text::{type}[]) WITH ORDINALITY AS h(v, place)
     UNION ALL
    SELECT m.v, m.often * tuples, 0
      FROM best, unnest(most_common_vals::text::{type}[], most_common_freqs) AS m(v, often)
)
SELECT v::text, below, at, (SELECT sum(null_frac * tuples) FROM best)
  FROM spread WHERE {condition} ORDER BY spread.v{collation}
"""

# the extremes that an index finds at once
EXTREMES = """
SELECT min({column}), max({column}) FROM {table} WHERE {condition}
"""
EVEN = """
SELECT c.x FROM (SELECT DISTINCT {between} AS x FROM generate_series(1, {count} - 1) AS i) AS c
 WHERE c.x > {low} ORDER BY c.x
"""
BETWEEN = {
    DATE: "$1::date + (($2::date - $1::date)::int8 * i / {count})::int",
    **dict.fromkeys(
        (INT2, INT4, INT8),
        "trunc($1::int8::numeric + ($2::int8::numeric - $1::int8::numeric) * i / {count})::int8",
    ),
}


@dataclass(frozen=True)
class Key:
    """A column to cut by, and the ranges to cut it into."""

    column: str
    nullable: bool
    ranges: Sequence[KeyRange]

    @property
    def heaviest(self) -> int:
        """The number of the range with the largest share."""
        shares = [part.share for part in self.ranges]
        return shares.index(max(shares))


@dataclass(frozen=True)
class _Column:
    name: str
    nullable: bool
    collation: str | None
    indexed: bool


class KeyReader:
    """Reads within a query's own transaction, with the reader's rights.

    PostgreSQL sorts the bounds itself, as it sorts the column; how well they divide the rows is
    for its statistics to tell, and makes no difference to the answer.
    """

    def keys(
        self,
        transaction: ReadTransaction,
        cut: KeyCut,
        count: int,
        params: Sequence[str | None],
        parameter_types: Sequence[str],
        *,
        indexed_only: bool,
    ) -> list[Key]:
        """Return ways to cut into at most `count` ranges, the most promising first."""
        table = cut.cut.table
        if table is None or count < 2:
            return []
        names = array_literal(cut.columns)
        columns = [
            _Column(
                name or "",
                nullable=(null != "t" or table.has_children) and name not in cut.filled,
                collation=collation,
                indexed=indexed == "t",
            )
            for name, null, collation, indexed in transaction.rows(COLUMNS, [str(table.oid), names])
        ]
        found = []
        for column in sorted(columns, key=lambda one: not one.indexed):
            if indexed_only and not column.indexed:
                continue
            given = cut.conditions[cut.columns.index(column.name)]
            values, nulls = self._known(transaction, table, column, given, params, parameter_types)
            ranges = key_ranges(values, nulls, count)
            if len(ranges) < count and column.indexed:
                more = self._even(transaction, table, column, count, given, params, parameter_types)
                ranges = max(ranges, more, key=len)
            if ranges:
                found.append(Key(column.name, column.nullable, ranges))
        return sorted(found, key=lambda key: key.ranges[key.heaviest].share)

    def _known(
        self, transaction: ReadTransaction, table: Table, column: _Column,
        given: Sequence[exp.Expr], params: Sequence[str | None], types: Sequence[str],
    ) -> tuple[list[KeyValue], float]:  # fmt: skip
        """Return the values that statistics know, in the column's order, and a number of NULLs."""
        condition = bind(_condition("v", given), types)
        number = len(condition.parameters)
        sql = VALUES.format(
            oid=f"${number + 1}", name=f"${number + 2}",
            type=KEY_TYPES[table.columns[column.name]], condition=condition.sql,
            collation=f" COLLATE {column.collation}" if column.collation else "",
        )  # fmt: skip
        rows = transaction.rows(sql, [*chosen(condition, params), str(table.oid), column.name])
        values = [
            KeyValue(text or "", float(below or 0), float(at or 0)) for text, below, at, _ in rows
        ]
        nulls = float(rows[0][3] or 0) if rows and not given else 0.0
        return values, nulls

    def _even(
        self, transaction: ReadTransaction, table: Table, column: _Column, count: int,
        given: Sequence[exp.Expr], params: Sequence[str | None], types: Sequence[str],
    ) -> list[KeyRange]:  # fmt: skip
        """Cut evenly between the least and the greatest value."""
        between = BETWEEN.get(table.columns[column.name])
        if between is None:
            return []
        condition = bind(_condition(column.name, given), types)
        sql = EXTREMES.format(
            column=_quoted(column.name), condition=condition.sql,
            table=f"{_quoted(table.schema)}.{_quoted(table.name)}",
        )  # fmt: skip
        ((low, high),) = transaction.rows(sql, chosen(condition, params))
        if low is None or high is None or "infinity" in (low, high) or "-infinity" in (low, high):
            return []
        low_typed = f"$1::{'date' if table.columns[column.name] == DATE else 'int8'}"
        sql = EVEN.format(between=between.format(count=count), count=count, low=low_typed)
        bounds = [text for (text,) in transaction.rows(sql, [low, high])]
        edges = [None, *bounds, None]
        share = 1 / (len(bounds) + 1)
        return [KeyRange(*pair, share) for pair in itertools.pairwise(edges)] if bounds else []


def _condition(name: str, given: Sequence[exp.Expr]) -> exp.Expr:
    """Return the conditions over their one column, by the name that it has here."""
    bare = [
        condition.copy().transform(
            lambda node: (
                exp.column(exp.to_identifier(name, quoted=True))
                if isinstance(node, exp.Column)
                else node
            )
        )
        for condition in given
    ]
    column = exp.column(exp.to_identifier(name, quoted=True))
    present: exp.Expr = exp.Not(this=exp.Is(this=column, expression=exp.Null()))
    for condition in bare:
        present = exp.And(this=present, expression=exp.Paren(this=condition))
    return present


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

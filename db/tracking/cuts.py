"""Where to cut a table, so that its buckets hold about as many rows each."""

from psycopg import sql

from db.binary import execute_binary
from db.pool import Connection
from db.tracking.buckets import Cut, KeyRange
from db.tracking.keys import KeyType

# By the index of the key alone, in its order: nothing is sorted, nor held in memory.  The greatest
# key begins the tail.
_QUANTILES = """
SELECT DISTINCT {floor}::text, {floor} FROM (
    SELECT k, row_number() OVER (ORDER BY k) AS n FROM (
        SELECT {key} AS k FROM ONLY {table} WHERE {within}) AS keys) AS numbered
 WHERE n % $1::bigint = 0 ORDER BY 2"""
_GREATEST = """
SELECT {floor}::text, {floor} FROM (
    SELECT {key} AS k FROM ONLY {table} WHERE {within} ORDER BY {key} DESC LIMIT 1) AS last"""

_BEYOND = """
SELECT EXISTS (SELECT FROM ONLY {table} WHERE {within} ORDER BY {key} OFFSET $1::bigint LIMIT 1)"""


def within(key_column: str, key: KeyType, span: KeyRange) -> sql.Composable:
    """Return the condition, for WHERE, that holds for the keys of a range."""
    low, high = (None if cut is None else cut.key for cut in (span.lower, span.upper))
    return between(key_column, key.name, low, high)


def between(column: str, type_name: str, low: str | None, high: str | None) -> sql.Composable:
    """Return the condition that a column is `low` at least, and below `high`; None: no bound."""
    conditions = [
        sql.SQL("{} {} {}::{}").format(
            sql.Identifier(column), sql.SQL(sign), sql.Literal(bound), sql.SQL(type_name)
        )
        for sign, bound in ((">=", low), ("<", high))
        if bound is not None
    ]
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


def choose_cuts(
    connection: Connection,
    table: sql.Identifier,
    key_column: str,
    key: KeyType,
    *,
    rows: int,
    span: KeyRange | None = None,
) -> list[Cut]:
    """Return where to cut `span` (None: the whole table) into buckets of about `rows` rows.

    The last cut is at the greatest key, so that rows appended later fall into the tail behind it.
    Keys that share a rank stay together.  Reads the key's index once.
    """
    span = span or KeyRange(None, None)
    cuts: dict[int, Cut] = {}
    for template, values in ((_QUANTILES, [str(rows)]), (_GREATEST, [])):
        query = sql.SQL(template).format(
            floor=sql.SQL(key.floor).format(sql.Identifier("k")),
            key=sql.Identifier(key_column),
            table=table,
            within=within(key_column, key, span),
        )
        for text, binary in execute_binary(connection, query.as_string(connection), values):
            cut = Cut((text or b"").decode(), key.rank(binary or b""))
            cuts[cut.rank] = cut
    edges = {cut.rank for cut in (span.lower, span.upper) if cut is not None}
    return [cuts[rank] for rank in sorted(cuts) if rank not in edges]


def holds_more_than(
    connection: Connection,
    table: sql.Identifier,
    key_column: str,
    key: KeyType,
    *,
    rows: int,
    span: KeyRange,
) -> bool:
    """Tell whether a range has more than so many rows; reads as many entries of the key's index."""
    query = sql.SQL(_BEYOND).format(
        table=table, within=within(key_column, key, span), key=sql.Identifier(key_column)
    )
    row = connection.execute(query.as_string(connection).encode(), [str(rows)]).fetchone()
    return row is not None and row[0] == "t"

# ruff: noqa: E501 - tables
"""Writes docs/columnar_semantics.md from the list and from what tests prove of TPC-H.

`python -m tests.columnar.document`
"""

from pathlib import Path

from query.columnar.allowed import ALLOWED
from tests.columnar.tpch import COLUMNAR_ONLY, SHARED_OUT_BY

DOCUMENT = Path(__file__).parents[2] / "docs" / "columnar_semantics.md"
INTRODUCTION = """# What DuckDB may compute

A fragment over segments runs in DuckDB only if it surely means there what PostgreSQL means by it.
`query/columnar` decides that, expression by expression, with the types of all columns known: what
is on the list below is written in DuckDB's words, with each cast that PostgreSQL would insert
written out; for all else it says which expression is not on the list and why, and the fragment
runs on PostgreSQL. Nothing is taken for granted by likeness: a part of an expression that
rendering does not know, a function of another number of arguments, a cast of another type are all
refused. At the end the types of the columns are compared with those that PostgreSQL describes.
That our parser reads a query as PostgreSQL does is checked before, for each query that is split:
PostgreSQL plans what was read and the user's own text, and the plans must be the same.

**Errors** are PostgreSQL's alone. Whatever DuckDB raises, an overflow or a division by zero or a
text beyond ASCII in `upper`, ends its run, and the fragment runs on PostgreSQL, which raises its
own error or, having larger numbers, answers. So the list has to show two things of each entry: an
equal value, and that DuckDB never answers where PostgreSQL raises. Since either engine may meet
conditions in another order, what PostgreSQL may raise for is allowed only where every row meets
it in both: in a fragment's outputs, keys and aggregates, and as the only condition on one table;
not below AND or OR, in join conditions, in HAVING, or in queries inside.

**Numbers of digits.** PostgreSQL keeps with each numeric how many digits behind the point are
shown, and DuckDB with each column. Both are the same for columns `numeric(p,s)` and for sums,
differences and products of them. Where a choice mixes scales, as in
`sum(CASE WHEN a THEN price * tax ELSE 0 END)`, the scale of each value is an expression of its
own that travels beside it, and the text is written with it: `0` over rows without `a`, not
`0.0000`. Quotients of numerics are left to the merge, which PostgreSQL runs, but for `avg` in a
query inside, whose scale is computed as PostgreSQL's `select_div_scale` does.

**Results** are texts as PostgreSQL writes them, so that a columnar partial is the same bytes as
one of PostgreSQL's, and the merge does not see which engine made it.

## The engine

`columnar/` runs one SELECT over segments' files; it knows nothing of PostgreSQL. A worker keeps one
engine, since starting DuckDB takes some 20 ms. Threads, memory and temporary files are capped by
its constructor, for all runs of the process together. Before its first run it is told the folder
of segments; then external access is switched off and the configuration is locked, so that no SQL
reads other files, reaches the network, or loads an extension. The time zone is UTC, whatever the
machine's is. What is not exactly one SELECT is
refused, since files below the folder could be written. Each relation is the list of its files,
each column cast to the type that rendering counted on. DuckDB's propagation of statistics is
switched off: of version 2.0.0 it takes `nullif(a, 'g1') LIKE 'g%'` for true in all rows of a file
whose strings all begin with g; row groups are passed over by their statistics as ever. A run ends at its deadline, or when another
thread cancels it, and at too many rows or bytes.

| outcome | what the caller does |
| --- | --- |
| `EngineRefuses`, with `FileUnreadable` for a file that is missing or cannot be read | runs the fragment on PostgreSQL |
| `OutOfTime` | nothing more: the time is up, or nobody wants the answer |
| `AnswerTooLarge` | as for PostgreSQL's fragments: the query runs whole |

## What segments promise

| type | as |
| --- | --- |
| `smallint`, `integer`, `bigint`, `boolean` | themselves |
| `real`, `double precision` | themselves; a column in which a NaN was met is left out: Parquet's statistics do not count it, and DuckDB would pass over its row where PostgreSQL has it above all numbers |
| `numeric(p,s)` with 0 ≤ s ≤ p ≤ 38 and s < 38 | DECIMAL(p,s); a column in which a NaN was met is left out |
| `text`, `varchar`, `char(n)` of a deterministic collation, in a database of encoding UTF8 | UTF-8, `char(n)` with its blanks |
| `date`, `timestamp` | DATE, TIMESTAMP of microseconds; a column in which an infinity was met is left out |
| `timestamptz` | a TIMESTAMP without zone, in UTC, since sessions are in UTC; as `timestamp` |
| `uuid`, `bytea` | what DuckDB casts to UUID (its text will do), binary |

DuckDB takes `min`, `max` and what a condition leaves over from the statistics of row groups, so these
have to be exact: whole strings, not their beginnings.

All other columns are left out of segments, and a query that names one runs on PostgreSQL. Strings
of other collations than `C`, `POSIX`, `C.UTF-8` and `ucs_basic` are compared for equality only.

## In one piece

A query that no table's rows divide, such as TPC-H's Q13, is cut nowhere; over segments that are
all clean it runs as one fragment, with the same partial columns and the same merge on PostgreSQL
(`query/columnar/pieces.py`). Some queries inside queries are refused in PostgreSQL's fragments
since each fragment may pick another one of values that are equal and look different. No two
values in segments do, so these are allowed here; then no part of the query may run on PostgreSQL
(`is_columnar_only`).

A query with GROUP BY, ORDER BY and LIMIT, too, runs in one piece where workers are on one machine:
its groups are whole then, so that the fragment sends those alone that LIMIT leaves, with all that
tie with the last of them, and the merge picks among these. It does so only where the outputs are
group keys and `count`, `sum`, `min`, `max` or `avg`, so that PostgreSQL could not have raised an
error for a group that is left out.

## The list

Each entry is tested: fixed rows on which all its examples run in both engines, rows by chance
with the edges of each type, and generated queries (`tests/columnar`). A campaign of any length is
`python -m tests.columnar --seeds 0-100000`.

That answers stay right while everything changes is compared by `python -m
tests.columnar.under_writes`: accelerated tables, four writers, keepers that build, cut, clean up and
are killed, a worker, and each answer of the query service beside PostgreSQL's own in the same
snapshot. It ends with a verdict.
"""
REFUSED = """
## What is not on it, and why

| form | why |
| --- | --- |
| sums and arithmetic of floats, their text | the order of addition shows; PostgreSQL raises for overflow and underflow; digits are chosen otherwise |
| `/` of numerics, `%` of numerics, `numeric` without scale | the scale depends on the values, or on each value |
| order of strings under other collations; `ILIKE`, regular expressions, `SIMILAR TO` | libraries differ |
| LIKE with a pattern that is not constant, or has a backslash or ESCAPE | the backslash escapes in PostgreSQL alone |
| `min`, `max` and order of booleans, of `char(n)`; `bool` casts | not needed so far |
| intervals as values, of several units, of fractions | justified and compared otherwise |
| `to_char`, `age`, `date_part`, `extract(epoch …)`, `extract(second …)` | not needed so far, or a float |
| years before 1 and after 9999 in functions of dates | DuckDB counts years before 1 otherwise: these raise, and PostgreSQL answers |
| window functions, GROUPING SETS, DISTINCT ON, LATERAL, USING, NATURAL, ANY, ALL, other set operations than UNION ALL | not needed so far |
| LIMIT in queries inside, or without ORDER BY | may pick any rows |
| arrays, JSON, enums, ranges, composite types, network addresses, bit strings, money | not kept in segments |

## TPC-H

All 22 queries of `bench/tpch/queries.sql` run over segments, and each answer is PostgreSQL's.

| query | segments shared out among fragments | dirty buckets |
| --- | --- | --- |
"""


def document() -> str:
    """Return docs/columnar_semantics.md."""
    lines = [
        INTRODUCTION,
        "| entry | PostgreSQL | DuckDB | why it is the same |",
        "| --- | --- | --- | --- |",
    ]
    for name, entry in ALLOWED.items():
        cells = [name, f"`{entry.postgresql}`", f"`{entry.duckdb}`", entry.why]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    shared = [
        f"| {query} | {f'those of `{table}`' if table else 'none: one piece'} "
        f"| {'none may be' if query in COLUMNAR_ONLY or not table else 'run on PostgreSQL'} |\n"
        for query, table in SHARED_OUT_BY.items()
    ]
    return "\n".join(lines) + "\n" + REFUSED + "".join(shared)


if __name__ == "__main__":
    DOCUMENT.write_text(document())

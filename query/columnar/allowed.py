# ruff: noqa: E501 - a table reads best with each of its cells on one line
"""The list: all that may run in DuckDB, how it is written there, and why that is the same.

What is not here runs on PostgreSQL.  Rendering notes each entry that it uses, and each has a test
that compares both engines over values by chance.  Either engine may raise an error: whatever
DuckDB raises sends the fragment to PostgreSQL, which then has the word.  So what counts is that
DuckDB never yields a value where PostgreSQL raises, nor another value.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """PostgreSQL's form, DuckDB's, and why they are equal."""

    postgresql: str
    duckdb: str
    why: str


ALLOWED: Mapping[str, Entry] = {
    # constants and columns
    "constant": Entry("1, 0.50, 'a', date '2024-02-29', true, NULL, $1", "CAST(1 AS INTEGER) …", "Read here, by the rules of PostgreSQL's input functions for the plain forms that are taken, and written with its type."),
    "column": Entry("t.a", "s0.c0", "The reader of segments casts each to the type that rendering counts on; one that fits already costs nothing."),
    # conditions
    "and or not": Entry("a AND b, a OR b, NOT a", "the same", "Three-valued logic in both. What may raise is refused below them: which side is met first differs."),
    "is null": Entry("a IS [NOT] NULL", "a IS [NOT] NULL", "Defined for each value in both; rows are not compared."),
    "is true": Entry("a IS [NOT] TRUE, FALSE", "a IS NOT DISTINCT FROM true …", "Never null, in both."),
    "distinct from": Entry("a IS [NOT] DISTINCT FROM b", "the same", "Equality, and null equal to null, in both."),
    "equality": Entry("a = b, a <> b", "the same, of one type", "Numbers compare by value; strings of a deterministic collation are equal if their bytes are."),
    "order": Entry("a < b, a <= b, a > b, a >= b", "the same, of one type", "Numbers and times compare by value, uuid and bytea by bytes; strings only under a collation that sorts by bytes."),
    "between": Entry("a BETWEEN b AND c", "a >= b AND a <= c", "PostgreSQL's own definition."),
    "in list": Entry("a IN (b, c)", "a IN (b, c)", "Equality with one of them; null where none is equal and one is null, in both."),
    "float order": Entry("f < g, f = g", "the same, as DOUBLE", "-0 equals 0 in both. A NaN is not in segments: DuckDB trusts the statistics of Parquet, which leave it out."),
    "char equality": Entry("c = 'A', c < 'B' of char(n)", "rtrim(c, ' ') = rtrim('A', ' ')", "PostgreSQL's bpchar compares without the blanks at the end."),
    # integers
    "integer sum": Entry("a + b, a - b, a * b", "CAST(a + b AS INTEGER)", "Both raise where the result leaves the type, which is the wider of the two."),
    "integer division": Entry("a / b", "CAST(a // b AS INTEGER)", "Both cut towards zero; by zero and for the least integer by -1 both raise."),
    "integer remainder": Entry("a % b, mod(a, b)", "CAST(a % b AS INTEGER)", "The sign of a, in both; by zero both raise."),
    "integer sign": Entry("-a, abs(a)", "CAST(-a AS INTEGER), abs(a)", "Both raise for the least integer."),
    "integer bits": Entry("a & b, a | b, a # b, ~a", "a & b, a | b, xor(a, b), ~a", "Two's complement in both."),
    # numeric
    "numeric sum": Entry("a + b, a - b", "a + b of DECIMAL", "Exact in both; the scale is the larger of the two. DuckDB raises beyond 38 digits."),
    "numeric product": Entry("a * b", "a * b of DECIMAL", "Exact in both; the scale is the sum. DuckDB raises beyond 38 digits."),
    "numeric sign": Entry("-a, abs(a)", "-a, abs(a)", "Exact; a DECIMAL is symmetric."),
    "scale": Entry("scale(a)", "the scale that is known of a", "All values of a column have that of its type; of a choice the branch tells."),
    "round": Entry("round(a, 2), round(a)", "CAST(a AS DECIMAL(p,2))", "Half away from zero in both; the scale is the one that is asked for."),
    # casts
    "cast to integer": Entry("a::bigint of an integer or numeric", "CAST(a AS BIGINT)", "Both round half away from zero and raise where the result leaves the type."),
    "cast to numeric": Entry("a::numeric(p,s), a::numeric", "CAST(a AS DECIMAL(p,s))", "Both round half away from zero and raise for too many digits; an integer has scale 0."),
    "cast to text": Entry("a::text of an integer, uuid or string", "CAST(a AS VARCHAR)", "One way to write them; of char(n) PostgreSQL drops the blanks at the end, and so does rtrim(a, ' ')."),
    "cast of time": Entry("ts::date, d::timestamp, d::timestamptz …", "CAST(ts AS DATE) …", "The day of, and midnight; sessions are in UTC, so a zone adds nothing."),
    # what picks one of several values
    "case": Entry("CASE WHEN a THEN b ELSE c END", "the same, of one type", "The first true one, in both. What is not met is not evaluated in PostgreSQL; where DuckDB evaluates it nevertheless, it can only raise."),
    "coalesce": Entry("coalesce(a, b)", "coalesce(a, b)", "The first that is not null, and no other is evaluated."),
    "nullif": Entry("nullif(a, b)", "nullif(a, b)", "a = b decides, in both."),
    "greatest least": Entry("greatest(a, b), least(a, b)", "the same", "Both leave nulls out."),
    # strings
    "like": Entry("a LIKE 'x%_'", "a LIKE 'x%_'", "% and _ mean any characters and one character of UTF-8 in both. Patterns are constants without a backslash, which escapes in PostgreSQL alone."),
    "concatenation": Entry("a || b of strings", "a || b", "Null if one is null, in both."),
    "length": Entry("length(a), char_length(a)", "CAST(length(a) AS INTEGER)", "Code points in both."),
    "octet length": Entry("octet_length(a)", "CAST(strlen(a) AS INTEGER)", "Bytes of UTF-8 in both."),
    "substring": Entry("substring(a FROM 2 FOR 3), substr(a, 2, 3), left(a, 3)", "substring(a, 2, 3)", "Code points counted from 1 in both, for constants from 1 on and lengths from 0 on."),
    "upper lower": Entry("upper(a), lower(a)", "CASE WHEN strlen(a) = length(a) THEN upper(a) ELSE … END", "Letters of ASCII alone, and a collation that sorts by bytes: beyond that each library has tables of its own."),
    "trim": Entry("trim(a), ltrim(a), rtrim(a), btrim(a)", "trim(a, ' ') …", "The blank alone, in both when it is said."),
    "replace": Entry("replace(a, 'x', 'y')", "replace(a, 'x', 'y')", "Bytes are looked for, from the left, without overlap. The string looked for is a constant, and not empty."),
    "position": Entry("strpos(a, 'x'), position('x' IN a)", "CAST(strpos(a, 'x') AS INTEGER)", "Code points from 1, 0 where it is not; the string looked for is a constant, and not empty."),
    "starts with": Entry("starts_with(a, 'x')", "starts_with(a, 'x')", "Bytes, in both."),
    # dates and times
    "date and days": Entry("d + 7, d - 7", "d + 7, d - 7 of DATE", "Days of one calendar. Constants below 10,000 days, and years from 1 to 9999: beyond, the rendered form raises."),
    "days between": Entry("d - e", "CAST(d - e AS INTEGER)", "Days of one calendar."),
    "interval": Entry("d + interval '1 month', ts - interval '90' day", "the same, as a TIMESTAMP", "Both add months, with the day cut to the month's last, then days, then time. Intervals are constants of one unit."),
    "extract": Entry("extract(year FROM d), month, day, quarter, dow, isodow, doy, week, isoyear, hour, minute", "extract(year FROM d) as DECIMAL", "One calendar and ISO 8601 in both, for years from 1 to 9999; a numeric of scale 0 in PostgreSQL."),
    "date_trunc": Entry("date_trunc('month', ts)", "date_trunc('month', ts)", "One calendar, weeks from Monday; sessions are in UTC. Of a date PostgreSQL makes a timestamptz."),
    # aggregates
    "count": Entry("count(*), count(a), count(DISTINCT a)", "the same", "Nulls left out, in both. DISTINCT over types whose equal values are the same bytes."),
    "sum of integers": Entry("sum(a)", "CAST(sum(a) AS BIGINT), DECIMAL(38,0) for bigint", "DuckDB adds in 128 bits, then the cast raises where PostgreSQL's bigint would."),
    "sum of numerics": Entry("sum(a)", "sum(a) as DECIMAL(38,s)", "Exact; the scale is the largest one met. DuckDB raises beyond 38 digits."),
    "avg": Entry("avg(a) in a query inside", "(2 · sum · 10^n + count) // (2 · count), as DECIMAL(38,20)", "PostgreSQL's numeric division: n is the scale that select_div_scale chooses, computed here from the same digits, and the last digit is rounded half away from zero. More than 20 digits behind the point raise."),
    "min max": Entry("min(a), max(a)", "the same", "As `order` has it, over types whose equal values are the same text."),
    "bool aggregates": Entry("bool_and(a), bool_or(a), every(a)", "bool_and(a), bool_or(a)", "Nulls left out; null over none, in both."),
    "bit aggregates": Entry("bit_and(a), bit_or(a), bit_xor(a)", "the same, cast back", "Nulls left out; null over none: DuckDB's own answer to that is replaced."),
    "filter": Entry("sum(a) FILTER (WHERE c)", "the same", "Rows for which c is true, in both."),
    # queries
    "group by": Entry("GROUP BY a", "GROUP BY a", "Nulls are one group; keys are of types whose equal values are the same text."),
    "distinct": Entry("SELECT DISTINCT a", "SELECT DISTINCT a", "As `group by`."),
    "join": Entry("a JOIN b ON c, LEFT, RIGHT, FULL, CROSS, a, b", "the same", "The standard's definition."),
    "subquery in FROM": Entry("FROM (SELECT …) AS x, WITH x AS (…)", "the same", "A table of its rows; nothing in it depends on their order."),
    "union all": Entry("a UNION ALL b, in FROM", "the same, of one type", "All rows of both."),
    "exists": Entry("EXISTS (SELECT …)", "EXISTS (SELECT 1 …)", "Whether there is a row; outputs do not matter."),
    "in subquery": Entry("a [NOT] IN (SELECT b …)", "the same", "Null where none is equal and one is null, in both."),
    "scalar subquery": Entry("(SELECT max(b) FROM …)", "the same", "An aggregate without GROUP BY has exactly one row; it may name columns of the query around it."),
    "top rows": Entry("ORDER BY a FETCH FIRST 5 ROWS WITH TIES, LIMIT 5", "QUALIFY rank() OVER (ORDER BY a NULLS LAST) <= 5", "The order of `order`, and where nulls stand is said. At the top of a fragment alone, which sends ties along where they matter."),
    "top groups": Entry("GROUP BY a ORDER BY count(*) DESC FETCH FIRST 5 ROWS WITH TIES", "GROUP BY a QUALIFY rank() OVER (ORDER BY count(*) DESC NULLS FIRST) <= 5", "As `top rows`, over groups that are whole: in a query of one fragment, where nothing that PostgreSQL computes of the groups left out could raise."),
}  # fmt: skip

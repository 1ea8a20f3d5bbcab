"""diff_tables: exactly the differences that SQL finds."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from tests.integration.tables.conftest import Bench, Ran
from worker.tables.diff_tables import DiffTables
from worker.tables.opening import Tables

ONE = pytest.mark.parametrize("connections", [2], indirect=True)

# by type of the key: expressions over a number n, that keep numbers apart and leave gaps
KEYS = {
    "int": ["(n * 3 - 40)::int"],
    "bigint": ["n::bigint * n * 4294967296 * (CASE n % 2 WHEN 0 THEN 1 ELSE -1 END)"],
    "text": ["(ARRAY['a', 'B', 'é', '', 'Z', '_', 'b,', E'\\'\\\\'])[n % 8 + 1] || n"],
    "uuid": ["md5(n::text)::uuid"],
    "timestamp": ["timestamp '2000-01-01' + (n * n - 300) * interval '1.000001 days'"],
    "numeric": ["(n - 20) / 7.0"],
    "float8": ["(n - 20) / 7.0::float8"],
    "date, text": ["date '1999-12-30' + n / 5", "'k' || n % 5"],
    "int, boolean, int": ["n / 10", "n % 2 = 0", "n % 10"],
}

# by type: expressions, of which neighbours may be equal and yet not look it
VALUES = {
    "int": ["NULL", "0", "1", "-1"],
    "bigint": ["NULL", "1", "4294967296", "-1"],
    "numeric": ["NULL", "1.0", "1.00", "-1", "'NaN'", "0", "10000", "'Infinity'"],
    "numeric(8,2)": ["NULL", "1", "1.01", "-1.01"],
    "float8": ["NULL", "0", "'-0'", "'NaN'", "0.1", "0.1 + 0.2", "0.3"],
    "float4": ["NULL", "0", "'-0'", "0.1"],
    "text": ["NULL", "''", "'a'", "','", "'é'", "'a '", "'1,a'"],
    "char(4)": ["NULL", "''", "'a'", "'a '"],
    "timestamptz": ["NULL", "'2000-01-01 00:00Z'", "'2000-01-01 01:00+01'", "'infinity'"],
    "int[]": ["NULL", "'{}'", "'{1,2}'", "'{{1},{2}}'", "'{2,1}'", "'[0:1]={1,2}'"],
    "jsonb": ["NULL", "'null'", '\'{"a":1,"b":2}\'', '\'{"b":2, "a":1}\'', "'[1,2]'"],
    "boolean": ["NULL", "true", "false"],
    "bytea": ["NULL", "''", "'\\x00'"],
}
# json has no equality: what is compared is its text
ALL_VALUES = {**VALUES, "json": ["NULL", "'1'", "'[1]'", "'[1 ]'"]}


def cells(kinds: list[str]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*(st.integers(0, len(ALL_VALUES[kind]) - 1) for kind in kinds))


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[str], dict[int, Any], dict[int, Any]]:
    key = draw(st.sampled_from(sorted(KEYS)))
    kinds = draw(st.lists(st.sampled_from(sorted(ALL_VALUES)), max_size=4))
    left = draw(st.dictionaries(st.integers(0, 49), cells(kinds), max_size=50))
    right = dict(left)
    for gone in draw(st.sets(st.integers(0, 49), max_size=5)):
        right.pop(gone, None)
    first = draw(st.integers(0, 60))
    for number in range(first, first + draw(st.integers(0, 30))):
        (left if draw(st.booleans()) else right).pop(number, None)
    right |= draw(st.dictionaries(st.integers(0, 49), cells(kinds), max_size=8))
    if draw(st.booleans()):
        left, right = right, left
    return key, kinds, left, right


def make(bench: Bench, name: str, key: str, kinds: list[str], rows: dict[int, Any]) -> None:
    parts = key.split(", ")
    columns = [f"k{place} {kind}" for place, kind in enumerate(parts)]
    columns += [f"v{place} {kind}" for place, kind in enumerate(kinds)]
    names = ", ".join(f"k{place}" for place in range(len(parts)))
    bench.sql(
        f"DROP TABLE IF EXISTS {name}",
        f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({names}))",
    )
    for number, picked in rows.items():
        written = [
            f"({ALL_VALUES[kind][choice]})::{kind}"
            for kind, choice in zip(kinds, picked, strict=True)
        ]
        bench.sql(
            f"INSERT INTO {name} SELECT {', '.join([*KEYS[key], *written])} "
            f"FROM (SELECT {number} AS n)"
        )
    bench.tables(name)


def oracle(bench: Bench, key: str, kinds: list[str]) -> dict[tuple[str, ...], Any]:
    """Return by side and key the names of the columns that differ, as PostgreSQL sees it."""
    width = len(key.split(", "))
    same = " AND ".join(f"l.k{place} = r.k{place}" for place in range(width))
    names = [f"coalesce(l.k{place}, r.k{place})" for place in range(width)]
    texts = [f"trim_scale({one})" if key == "numeric" else one for one in names]
    tests = []
    for place, kind in enumerate(kinds):
        cast = "::text" if kind == "json" else ""
        tests.append(
            f"CASE WHEN l.v{place}{cast} IS DISTINCT FROM r.v{place}{cast} THEN 'v{place}' END"
        )
    differing = f"array_remove(ARRAY[{', '.join(tests)}]::text[], NULL)"
    rows = bench.rows(
        f"""SELECT side, keys, differing FROM (
          SELECT CASE WHEN r.k0 IS NULL THEN 'only_left' WHEN l.k0 IS NULL THEN 'only_right'
                      ELSE 'different' END AS side,
                 ARRAY[{", ".join(f"{one}::text" for one in texts)}] AS keys,
                 {differing} AS differing
            FROM l FULL JOIN r ON {same}) AS d
         WHERE side <> 'different' OR differing <> '{{}}'"""
    )
    return {
        (side, *keys): differing if side == "different" else None for side, keys, differing in rows
    }


def told(ran: Ran) -> dict[tuple[str, ...], Any]:
    assert len(ran.found()) == len(ran.result)
    return {(side, *key.values()): columns for side, key, columns, _, _ in ran.result}


def assert_sums_fit(ran: Ran, left: int, right: int) -> None:
    summary = ran.summary
    assert summary["rows"] == {"left": left, "right": right}
    by_side = [
        sum(row[0] == side for row in ran.result)
        for side in ("only_left", "only_right", "different")
    ]
    assert [summary[one] for one in ("only_left", "only_right", "different")] == by_side
    assert summary["equal_rows"] + summary["only_left"] + summary["different"] == left
    assert summary["equal_rows"] + summary["only_right"] + summary["different"] == right
    assert summary["equal"] is not bool(ran.result)
    assert sum(row[2] for row in ran.ranges) == left
    assert sum(row[5] for row in ran.ranges) == len(ran.result)
    assert [row[1] for row in ran.ranges[:-1]] == [row[0] for row in ran.ranges[1:]]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=tables(), algorithm=st.sampled_from(["lookup3-128", "sha256-128"]), scan=st.booleans())
@ONE
def test_what_sql_finds_is_found_and_nothing_else(
    bench: Bench, made: Any, algorithm: str, scan: bool
) -> None:
    key, kinds, left, right = made
    make(bench, "l", key, kinds, left)
    make(bench, "r", key, kinds, right)
    names = [f"k{place}" for place in range(len(key.split(", ")))]
    if scan:
        bench.sql("ALTER TABLE r DROP CONSTRAINT r_pkey")
    ran = bench.diff(key=names if scan else None, algorithm=algorithm)
    assert told(ran) == oracle(bench, key, kinds)
    assert_sums_fit(ran, len(left), len(right))


def fill(bench: Bench, rows: int = 200) -> None:
    for name in ("l", "r"):
        bench.sql(
            f"CREATE TABLE {name} (n int PRIMARY KEY, a int, b int, label text)",
            f"INSERT INTO {name} SELECT n, n % 7, n % 5, 'label ' || n "
            f"FROM generate_series(1, {rows}) AS n",
        )
        bench.tables(name)


def test_equal_tables_have_no_differences(bench: Bench) -> None:
    fill(bench)
    ran = bench.diff()
    assert ran.result == []
    assert ran.summary["equal"]
    assert ran.summary["equal_rows"] == 200
    assert ran.summary["ranges"] == len(ran.ranges) > 2


def test_a_difference_tells_both_rows_and_what_differs(bench: Bench) -> None:
    fill(bench)
    bench.sql("UPDATE r SET label = NULL, b = 9 WHERE n = 77")
    assert bench.diff().result == [
        [
            "different", {"n": "77"}, ["b", "label"],
            {"n": "77", "a": "0", "b": "2", "label": "label 77"},
            {"n": "77", "a": "0", "b": "9", "label": None},
        ],
    ]  # fmt: skip


def test_values_that_two_rows_have_swapped_are_found(bench: Bench) -> None:
    fill(bench)
    bench.sql("UPDATE r SET a = 3 - a WHERE n IN (8, 9)", "UPDATE r SET a = b, b = a WHERE n = 50")
    found = {key["n"] for _, key, *_ in bench.diff().result}
    assert found == {"8", "9", "50"}


def test_rows_outside_of_the_other_sides_keys_are_found(bench: Bench) -> None:
    fill(bench)
    bench.sql("DELETE FROM l WHERE n < 30 OR n > 150 OR n BETWEEN 70 AND 120")
    ran = bench.diff()
    assert ran.summary["only_right"] == len(ran.result) == 29 + 50 + 51
    assert {row[0] for row in ran.result} == {"only_right"}


@pytest.mark.parametrize(("empty", "side"), [("l", "only_right"), ("r", "only_left")])
def test_all_rows_beside_an_empty_table_are_found(bench: Bench, empty: str, side: str) -> None:
    fill(bench, 60)
    bench.sql(f"TRUNCATE {empty}", f"ANALYZE {empty}")
    assert bench.diff().summary[side] == 60
    bench.sql("TRUNCATE l, r")
    assert bench.diff().summary["equal"]


def test_no_more_are_told_of_than_are_wanted_but_all_are_counted(bench: Bench) -> None:
    fill(bench)
    bench.sql("UPDATE r SET a = 99 WHERE n % 3 = 0", "DELETE FROM r WHERE n > 180")
    ran = bench.diff(limit=5)
    assert len(ran.result) == ran.summary["shown"] == 5
    assert ran.summary["different"] + ran.summary["only_left"] == 60 + 20


def test_only_the_columns_named_are_compared(bench: Bench) -> None:
    fill(bench)
    bench.sql(
        "UPDATE r SET a = 99 WHERE n = 5", "UPDATE r SET b = 99 WHERE n = 6",
        "ALTER TABLE r ADD COLUMN further int", "ALTER TABLE l DROP COLUMN label",
    )  # fmt: skip
    ran = bench.diff(columns=["b"])
    assert [(row[1], row[2]) for row in ran.result] == [({"n": "6"}, ["b"])]
    summary = bench.diff().summary
    assert summary["columns"] == ["n", "a", "b"]
    assert summary["columns_only_left"] == []
    assert summary["columns_only_right"] == ["label", "further"]


def test_only_the_rows_named_are_compared(bench: Bench) -> None:
    fill(bench)
    bench.sql("UPDATE r SET b = 99 WHERE n IN (6, 160)")
    ran = bench.diff(where="n < 100 -- of old")
    assert [row[1] for row in ran.result] == [{"n": "6"}]
    assert ran.summary["rows"] == {"left": 99, "right": 99}


def test_numbers_of_other_types_are_compared_as_numbers(bench: Bench) -> None:
    bench.sql(
        "CREATE TABLE l (n int PRIMARY KEY, v numeric(10,2), w int, x varchar(9))",
        "CREATE TABLE r (n int PRIMARY KEY, v numeric, w bigint, x text)",
        "INSERT INTO l VALUES (1, 1.50, 7, 'x'), (2, 100, 8, 'y')",
        "INSERT INTO r VALUES (1, 1.5, 7, 'x'), (2, 100.001, 9, 'y')",
    )
    bench.tables("l", "r")
    assert [(row[1], row[2]) for row in bench.diff().result] == [({"n": "2"}, ["v", "w"])]


def test_a_key_that_is_none_is_refused(bench: Bench) -> None:
    for name in ("l", "r"):
        bench.sql(
            f"CREATE TABLE {name} AS SELECT n % 10 AS n, n AS v FROM generate_series(1, 50) n"
        )
        bench.tables(name)
    with pytest.raises(PermanentFailure, match="no primary key"):
        bench.diff()
    bench.sql("UPDATE r SET v = 0 WHERE v = 33")
    with pytest.raises(PermanentFailure, match="several have the same"):
        bench.diff(key=["n"])
    bench.sql("UPDATE r SET n = NULL WHERE v = 20")
    with pytest.raises(PermanentFailure, match="is NULL"):
        bench.diff(key=["n"])


@pytest.mark.parametrize(
    ("column", "key"), [("n text PRIMARY KEY, a int", "n"), ("n int PRIMARY KEY, a text", "a")]
)
def test_columns_of_types_that_do_not_fit_are_refused(bench: Bench, column: str, key: str) -> None:
    bench.sql("CREATE TABLE l (n int PRIMARY KEY, a int)", f"CREATE TABLE r ({column})")
    bench.tables("l", "r")
    with pytest.raises(PermanentFailure, match=f"{key} is integer on the left and text"):
        bench.diff()


def test_texts_sorted_in_two_ways_are_compared_all_the_same(bench: Bench) -> None:
    names = "('a'), ('B'), ('c'), ('_'), ('é'), ('Z'), ('z'), ('')"
    bench.sql(
        'CREATE TABLE l (k text COLLATE "C" PRIMARY KEY)',
        "CREATE COLLATION other (provider = libc, locale = 'C.utf8')",
        "CREATE TABLE r (k text COLLATE other PRIMARY KEY)",
        f"INSERT INTO l VALUES {names}",
        f"INSERT INTO r VALUES {names}",
        "UPDATE r SET k = 'x' WHERE k = 'c'",
    )
    bench.tables("l", "r")
    assert bench.diff().found() == {("only_left", ("c",)), ("only_right", ("x",))}


def test_a_long_value_is_told_of_by_its_digest(bench: Bench) -> None:
    fill(bench, 3)
    bench.sql(
        "UPDATE l SET label = repeat('x', 50000) || 'a' WHERE n = 2",
        "UPDATE r SET label = repeat('x', 50000) || 'b' WHERE n = 2",
    )
    ((_, _, columns, left, right),) = bench.diff().result
    assert columns == ["label"]
    assert left["label"] != right["label"]
    assert "50001 bytes, SHA-256" in left["label"]
    assert len(json.dumps(left)) < 5000


def test_an_attempt_that_is_repeated_leaves_each_difference_once(bench: Bench) -> None:
    fill(bench)
    bench.sql("UPDATE r SET b = 99 WHERE n % 2 = 0")
    job_id = bench.create(
        "diff_tables",
        {
            "left": {"table": "l"}, "right": {"table": "r"}, "key": None, "columns": None,
            "limit": 1000,
        },
    )  # fmt: skip
    bench.step()
    lost = 0
    while (claim := bench.claim()) is not None:
        kind = bench.kinds[claim.kind]
        done = kind.perform(claim, TaskContext())
        if claim.attempt == 1:  # its worker dies when all is written, and nothing is committed
            lost += 1
            bench.ledger.release(claim)
            bench.sql(f"UPDATE millrace.job_tasks SET attempt = 1 WHERE number = {claim.number}")
            continue
        bench.ledger.done(claim, done, kind, 5)
        bench.ledger.settle(job_id)
    ran = bench.ran(job_id)
    assert lost > 2
    assert ran.found() == {("different", (str(n),)) for n in range(2, 201, 2)}
    assert ran.summary["different"] == 100


def test_two_databases_are_compared(bench: Bench) -> None:
    fill(bench)
    bench.sql("DELETE FROM r WHERE n = 3")
    ran = bench.diff(databases=(None, "other"))
    assert ran.found() == {("only_left", ("3",))}
    with pytest.raises(PermanentFailure, match="knows no database nowhere"):
        bench.diff(databases=("other", "nowhere"))


def test_sizes_of_use_find_the_same(bench: Bench) -> None:
    """With ranges of thousands of rows, where the others of these tests have a few."""
    fill(bench, 30_000)
    bench.sql(
        "UPDATE r SET b = 99 WHERE n % 3001 = 0", "DELETE FROM l WHERE n BETWEEN 9000 AND 9999"
    )
    large = DiffTables(bench.own, Tables(bench.reader, {}, 2, 1000))
    bench.kinds = {**bench.kinds, "diff_tables": large}
    found = bench.diff(limit=5000).found()
    different = {
        ("different", (str(n),)) for n in range(3001, 30001, 3001) if not 9000 <= n < 10000
    }
    assert found == different | {("only_right", (str(n),)) for n in range(9000, 10000)}

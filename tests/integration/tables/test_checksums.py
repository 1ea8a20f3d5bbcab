"""checksum_table: equal for equal rows in any order, different for any change."""

from collections.abc import Iterable

import pytest

from jobs.errors import PermanentFailure
from tests.integration.tables.conftest import Bench
from worker.tables.side import Side

pytestmark = pytest.mark.parametrize("connections", [2], indirect=True)


def fill(bench: Bench, name: str, order: str = "n") -> None:
    bench.sql(
        f"CREATE TABLE {name} (n bigint PRIMARY KEY, a int, b int, label text, amount numeric)",
        f"INSERT INTO {name} SELECT n::bigint * n * 1000003, n % 7, n % 5, 'label ' || n, n / 8.0 "
        f"FROM generate_series(1, 200) AS n ORDER BY {order}",
    )
    bench.tables(name)


def test_rows_in_another_order_have_the_same_checksum(bench: Bench) -> None:
    fill(bench, "t")
    fill(bench, "u", "md5(n::text)")
    assert bench.checksum("t").summary["checksum"] == bench.checksum("u").summary["checksum"]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM t WHERE label = 'label 17'",
        "INSERT INTO t VALUES (-5, 0, 0, '', 0)",
        "UPDATE t SET amount = -amount WHERE label = 'label 17'",
        "UPDATE t SET n = n + 4294967296 - 1 WHERE label = 'label 17'",
        "UPDATE t SET a = b, b = a WHERE label = 'label 17'",
        "UPDATE t SET a = 3 - a WHERE label IN ('label 8', 'label 9')",
        "UPDATE t SET a = NULL WHERE label = 'label 17'",
        "UPDATE t SET label = NULL WHERE label = 'label 17'",
        "UPDATE t SET label = '' WHERE label = 'label 17'",
        "UPDATE t SET amount = amount * 10000 WHERE label = 'label 17'",
    ],
)
def test_a_change_changes_the_checksum(bench: Bench, change: str) -> None:
    fill(bench, "t")
    before = bench.checksum("t").summary["checksum"]
    bench.sql(change)
    assert bench.checksum("t").summary["checksum"] != before


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        # the first five pairs have one hash each by their type's own hash function
        ("numeric", "5", "-5"),
        ("numeric", "'NaN'", "'Infinity'"),
        ("bigint", "1", "4294967296"),
        ("timestamp", "'2000-01-01 00:00:00.000001'", "'2000-01-01 01:11:34.967296'"),
        ("int[]", "'{{1,2},{3,4}}'", "'{1,2,3,4}'"),
        ("jsonb", "to_jsonb(ARRAY[1,2] || array_fill(0, ARRAY[40]))",
         "to_jsonb(array_fill(0, ARRAY[42]) || ARRAY[1,2])"),
        ("json", "'{\"a\": 1}'", "'{\"a\": 2}'"),
        ("text", "''", "NULL"),
        ("bytea", r"'\x00'", r"'\x0000'"),
        ("text[]", "'{\"a,b\"}'", "'{a,b}'"),
    ],
)  # fmt: skip
def test_values_that_differ_have_different_checksums(
    bench: Bench, kind: str, one: str, other: str
) -> None:
    sums = []
    for name, value in (("t", one), ("u", other)):
        bench.sql(
            f"CREATE TABLE {name} (n int PRIMARY KEY, v {kind})",
            f"INSERT INTO {name} VALUES (1, {value})",
        )
        bench.tables(name)
        sums.append(bench.checksum(name).summary["checksum"])
    assert sums[0] != sums[1]


def test_values_that_run_into_one_another_are_told_apart(bench: Bench) -> None:
    bench.sql(
        "CREATE TABLE t (n int PRIMARY KEY, a text, b text, c int, d int)",
        "INSERT INTO t VALUES (1, 'ab', 'c', NULL, 1)",
    )
    bench.tables("t")
    sums = {bench.checksum("t").summary["checksum"]}
    changes = ["a = 'a', b = 'bc'", "a = 'a,1,b', b = ''", "a = 'ab', b = 'c', c = 1, d = NULL"]
    for change in changes:
        bench.sql(f"UPDATE t SET {change}")
        sums.add(bench.checksum("t").summary["checksum"])
    assert len(sums) == len(changes) + 1


def test_the_tree_sums_up(bench: Bench) -> None:
    fill(bench, "t")
    ran = bench.checksum("t")
    (root, *_), leaves = ran.ranges, [row for row in ran.ranges if row[0] == 0]
    assert root[1:3] == [None, None]
    assert root[3:] == [200, ran.summary["checksum"]]
    assert len(leaves) == ran.summary["partitions"] > 16
    assert [row[1] for row in leaves[1:]] == [row[2] for row in leaves[:-1]]
    for level in range(root[0] + 1):
        at = [row for row in ran.ranges if row[0] == level]
        assert sum(row[3] for row in at) == 200
        assert sum_of(row[4] for row in at) == ran.summary["checksum"]


def sum_of(checksums: Iterable[str]) -> str:
    high = low = 0
    for text in checksums:
        high, low = high + int(text[:16], 16), low + int(text[16:], 16)
    return f"{high % 2**64:016x}{low % 2**64:016x}"


def test_a_query_and_a_table_of_the_same_rows_have_one_checksum(bench: Bench) -> None:
    fill(bench, "t")
    whole = bench.checksum("t", key=["n"]).summary
    query = bench.checksum(query="SELECT * FROM t -- all", key=["n"]).summary
    assert query["checksum"] == whole["checksum"]
    assert query["partitions"] > 1


def test_a_part_of_a_table_has_the_checksum_of_a_table_of_that_part(bench: Bench) -> None:
    fill(bench, "t")
    part = bench.checksum("t", where="a < 3 -- or so", columns=["n", "a"]).summary
    query = bench.checksum(query="SELECT n, a FROM t WHERE a < 3", key=["n"]).summary
    assert part["checksum"] == query["checksum"]
    assert part["rows"] == query["rows"] > 0


@pytest.mark.parametrize("algorithm", ["lookup3-128", "sha256-128"])
def test_a_table_without_an_index_has_the_checksum_of_one_with_it(
    bench: Bench, algorithm: str
) -> None:
    fill(bench, "t")
    bench.sql("CREATE TABLE u AS SELECT * FROM t", "CREATE VIEW v AS SELECT * FROM t")
    bench.tables("u")
    bench.sql("GRANT SELECT ON v TO millrace_reader")
    sums = {
        bench.checksum(name, key=["n"], algorithm=algorithm).summary["checksum"]
        for name in ("t", "u", "v")
    }
    assert len(sums) == 1


def test_a_table_of_no_rows_has_a_checksum(bench: Bench) -> None:
    bench.sql("CREATE TABLE t (n int PRIMARY KEY)")
    bench.tables("t")
    ran = bench.checksum("t")
    assert (ran.summary["rows"], ran.summary["checksum"]) == (0, "0" * 32)


def test_a_table_of_many_columns_is_read_whole(bench: Bench) -> None:
    names = [f"c{number}" for number in range(120)]
    bench.sql(
        f"CREATE TABLE t (n int PRIMARY KEY, {', '.join(f'{one} int' for one in names)})",
        "INSERT INTO t VALUES (1)",
    )
    bench.tables("t")
    sums = {bench.checksum("t").summary["checksum"]}
    for one in names:
        bench.sql(f"UPDATE t SET {one} = 1")
        sums.add(bench.checksum("t").summary["checksum"])
        bench.sql(f"UPDATE t SET {one} = NULL")
    assert len(sums) == len(names) + 1


def test_rows_without_a_key_are_refused(bench: Bench) -> None:
    bench.sql("CREATE TABLE t (n int, v int)", "INSERT INTO t VALUES (1, 1), (NULL, 2)")
    bench.tables("t")
    with pytest.raises(PermanentFailure, match="NULL"):
        bench.checksum("t", key=["n"])


def test_changes_meanwhile_are_not_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(bench, "t")
    before = bench.checksum("t").summary["checksum"]
    behind = Side.behind

    def changing(self: Side, *given: object) -> tuple[str, ...] | None:
        bench.sql("UPDATE t SET a = a + 1 WHERE n = (SELECT max(n) FROM t)")
        return behind(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Side, "behind", changing)
    assert bench.checksum("t").summary["checksum"] == before

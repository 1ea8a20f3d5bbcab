"""The engine: what it reads, what it does not, and how it ends."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from columnar.attached import AttachedFiles
from columnar.engine import MEANING, Answer, Bounds, ColumnarEngine
from columnar.errors import AnswerTooLarge, EngineRefuses, FileUnreadable, OutOfTime
from columnar.own_file import SUFFIX, OwnFiles
from columnar.relation import RelationFiles

ENDLESS = "SELECT CAST(sum(a.i * b.i) AS VARCHAR) FROM range(1000000) a(i), range(1000000) b(i)"


@pytest.fixture
def numbers(segment_folder: Path) -> Iterator[RelationFiles]:
    """Two files with the numbers from 0 to 29."""
    files = [segment_folder / f"numbers-{part}.parquet" for part in range(2)]
    for part, file in enumerate(files):
        values = pa.array(range(part * 15, part * 15 + 15), type=pa.int32())
        pq.write_table(pa.table({"N o.": values}), file)
    yield RelationFiles("r0", [("k0", "N o.", "INTEGER")], files)
    for file in files:
        file.unlink()


def run(
    engine: ColumnarEngine,
    sql: str,
    *relations: RelationFiles,
    timeout_s: float = 30,
    max_rows: int = 1000,
    max_bytes: int = 1000,
) -> Answer:
    return engine.run(sql, relations, timeout_s=timeout_s, max_rows=max_rows, max_bytes=max_bytes)


def test_rows_of_all_files_come_as_columns_of_text(
    engine: ColumnarEngine, numbers: RelationFiles
) -> None:
    shown = "CAST(k0 AS VARCHAR), CASE WHEN k0 > 28 THEN 'x' END"
    sql = f"SELECT {shown} FROM r0 WHERE k0 > 27 ORDER BY k0"
    assert run(engine, sql, numbers) == Answer([["28", "29"], [None, "x"]], 2)


def test_rows_are_counted_without_any_column(
    engine: ColumnarEngine, numbers: RelationFiles
) -> None:
    bare = RelationFiles("r0", [], numbers.files)
    assert run(engine, "SELECT CAST(count(*) AS VARCHAR) FROM r0", bare).data == [["30"]]


def test_a_relation_without_files_has_no_rows_and_keeps_its_types(engine: ColumnarEngine) -> None:
    empty = RelationFiles("r0", [("k0", "n", "DECIMAL(5,2)")], [])
    sql = "SELECT CAST(k0 AS VARCHAR), typeof(k0) FROM r0"
    assert run(engine, sql, empty) == Answer([[], []], 0)
    counted = "SELECT CAST(count(*) AS VARCHAR) FROM r0"
    assert run(engine, counted, RelationFiles("r0", [], [])).data == [["0"]]


def test_more_rows_than_a_batch_come_whole(engine: ColumnarEngine) -> None:
    sql = "SELECT CAST(i AS VARCHAR) FROM range(25001) AS t(i)"
    answer = run(engine, sql, max_rows=30_000, max_bytes=10**6)
    assert answer.row_count == 25_001
    assert set(answer.data[0]) == {str(number) for number in range(25_001)}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT content FROM read_text('/etc/hostname')",
        "SELECT content FROM read_blob('{outside}')",
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM read_parquet('{folder}/../outside.parquet')",
        "SELECT * FROM read_parquet('{folder}2/x.parquet')",
        "SELECT * FROM read_parquet('https://localhost/x.parquet')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/hostname')",
        "SELECT * FROM parquet_metadata('{outside}')",
        "SELECT getenv('HOME')",
        "COPY (SELECT 1) TO '{folder}/written.parquet'",
        "COPY (SELECT 1) TO '/tmp/written.parquet'",
        "ATTACH '{folder}/x.db'",
        "EXPORT DATABASE '{folder}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 64",
        "RESET lock_configuration",
        "PRAGMA enable_external_access",
        "CREATE TABLE kept AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1) TO '/tmp/x'; COPY (SELECT 1",
    ],
)
def test_nothing_else_can_be_read_written_or_set(
    engine: ColumnarEngine, segment_folder: Path, sql: str
) -> None:
    outside = segment_folder.parent / "outside.parquet"
    pq.write_table(pa.table({"a": [1]}), outside)
    text = sql.format(folder=segment_folder, outside=outside)
    with pytest.raises(EngineRefuses):
        run(engine, text, max_bytes=10**6)
    assert not (segment_folder / "written.parquet").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(1 // (i - 1) AS VARCHAR) FROM range(3) AS t(i)",
        "SELECT CAST(1 % (i - 1) AS VARCHAR) FROM range(3) AS t(i)",
        "SELECT CAST(CAST(2147483647 + i AS INTEGER) AS VARCHAR) FROM range(3) AS t(i)",
        "SELECT CAST((SELECT i FROM range(3) AS t(i)) AS VARCHAR)",
        "SELECT CASE WHEN i = 2 THEN error('told') END FROM range(3) AS t(i)",
        "SELECT nothing",
    ],
)
def test_what_duckdb_raises_is_told_as_a_refusal(engine: ColumnarEngine, sql: str) -> None:
    with pytest.raises(EngineRefuses):
        run(engine, sql)


@pytest.mark.parametrize("condition", ["starts_with({}, 'g')", "{} LIKE 'g%'"])
def test_a_condition_that_is_null_keeps_no_row(
    engine: ColumnarEngine, segment_folder: Path, condition: str
) -> None:
    # where all strings of a file begin so, DuckDB's statistics had it that the condition is true
    file = segment_folder / "strings.parquet"
    pq.write_table(pa.table({"s": ["g1", "g2", "g3"]}), file)
    relation = RelationFiles("r0", [("k0", "s", "VARCHAR")], [file])
    where = condition.format("(CASE WHEN k0 = 'g1' THEN NULL ELSE k0 END)")
    answer = run(engine, f"SELECT k0 FROM r0 WHERE {where}", relation)
    assert answer.data == [["g2", "g3"]]


def test_a_missing_file_is_told_as_one(engine: ColumnarEngine, segment_folder: Path) -> None:
    gone = RelationFiles("r0", [("k0", "a", "INTEGER")], [segment_folder / "gone.parquet"])
    with pytest.raises(FileUnreadable):
        run(engine, "SELECT CAST(k0 AS VARCHAR) FROM r0", gone)


def test_a_broken_file_is_refused(engine: ColumnarEngine, numbers: RelationFiles) -> None:
    file = numbers.files[0]
    file.write_bytes(file.read_bytes()[:-6] + b"broken")
    with pytest.raises(EngineRefuses):
        run(engine, "SELECT CAST(k0 AS VARCHAR) FROM r0", numbers)


@pytest.fixture
def own_numbers(segment_folder: Path) -> Iterator[RelationFiles]:
    """Two files in DuckDB's own format, with the numbers from 0 to 299,999."""
    files = [segment_folder / f"own-{os.urandom(4).hex()}.{SUFFIX}" for _ in range(2)]
    for part, file in enumerate(files):
        values = pa.array(range(part * 150_000, part * 150_000 + 150_000), type=pa.int32())
        with OwnFiles().writer(file, pa.schema([("N o.", pa.int32())])) as writer:
            for begin in range(0, 150_000, 50_000):
                writer.write(pa.table({"N o.": values.slice(begin, 50_000)}))
    yield RelationFiles("r0", [("k0", "N o.", "INTEGER")], files)
    for file in files:
        file.unlink(missing_ok=True)


SUM = "SELECT CAST(sum(k0) AS VARCHAR), CAST(count(*) AS VARCHAR) FROM r0 WHERE k0 >= 20"


def test_files_of_both_formats_and_rows_are_one_relation(
    engine: ColumnarEngine, numbers: RelationFiles, own_numbers: RelationFiles
) -> None:
    files = [*own_numbers.files, *numbers.files]
    rows = pa.table({"N o.": pa.array([20, 7], pa.int32())})
    both = RelationFiles("r0", own_numbers.columns, files, rows)
    wanted = sum(range(20, 300_000)) + sum(range(20, 30)) + 20
    for _ in range(2):
        assert run(engine, SUM, both).data == [[str(wanted)], [str(300_000 - 20 + 10 + 1)]]


def test_many_read_the_same_files_at_once(
    engine: ColumnarEngine, own_numbers: RelationFiles
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: run(engine, SUM, own_numbers), range(40)))
    assert {answer.data[0][0] for answer in answers} == {str(sum(range(20, 300_000)))}


def test_what_cannot_be_written_whole_is_an_error_and_the_next_file_is_well(
    segment_folder: Path,
) -> None:
    schema = pa.schema([("a", pa.int32())])
    files = OwnFiles()
    path = segment_folder / f"again.{SUFFIX}"
    nowhere = segment_folder / "none" / "x"
    with pytest.raises(OSError, match="Cannot open file"), files.writer(nowhere, schema):
        pass
    with suppress(ZeroDivisionError), files.writer(path, schema) as writer:
        writer.write(pa.table({"a": pa.array([1], pa.int32())}))
        raise ZeroDivisionError
    with files.writer(path, schema) as writer:
        writer.write(pa.table({"a": pa.array([5], pa.int32())}))
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.execute("SELECT * FROM data").fetchall() == [(5,)]
    path.unlink()
    assert not list(segment_folder.glob("again*"))


@pytest.mark.parametrize("place", [100, 5_000, 20_000, 300_000, -3_000])
def test_a_changed_bit_is_noticed_and_the_engine_goes_on(
    engine: ColumnarEngine, own_numbers: RelationFiles, place: int
) -> None:
    file = own_numbers.files[0]
    good = file.read_bytes()
    content = bytearray(good)
    content[place] ^= 4
    file.write_bytes(content)
    with suppress(FileUnreadable):  # what is not read is no matter
        assert run(engine, SUM, own_numbers).data[0] == [str(sum(range(20, 300_000)))]
    file.write_bytes(good)
    other = RelationFiles("r0", own_numbers.columns, own_numbers.files[1:])
    assert run(engine, SUM, other).data[0] == [str(sum(range(150_000, 300_000)))]
    assert run(engine, SUM, own_numbers).data[0] == [str(sum(range(20, 300_000)))]


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"x" * 20_000])
def test_a_file_that_is_none_is_unreadable(
    engine: ColumnarEngine, own_numbers: RelationFiles, content: bytes | None
) -> None:
    file = own_numbers.files[1]
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FileUnreadable):
        run(engine, SUM, own_numbers)


def test_a_wide_table_is_written_within_bounds(segment_folder: Path) -> None:
    rows = 20_000
    column = pa.array([f"{number:x}" * 8 for number in range(rows)])
    table = pa.table({f"c{place}": column for place in range(60)})
    path = segment_folder / f"wide.{SUFFIX}"
    with OwnFiles().writer(path, table.schema) as writer:
        for _ in range(4):
            writer.write(table)
    with duckdb.connect(path, read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT c7), min(c59) FROM data")
        assert found.fetchone() == (4 * rows, rows, "0" * 8)
    path.unlink()


def test_only_so_many_files_stay_open(tmp_path: Path) -> None:
    connection = duckdb.connect(":memory:")
    now = 0.0
    attached = AttachedFiles(connection, 2, lambda: now)
    paths = [tmp_path / f"{number}.{SUFFIX}" for number in range(5)]
    files = OwnFiles()
    for path in paths:
        with files.writer(path, pa.schema([("a", pa.int32())])):
            pass

    def opened() -> set[str]:
        rows = connection.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL")
        return {Path(path).stem for (path,) in rows.fetchall()}

    with attached.open(paths[:3]) as names:
        assert len(set(names.values())) == 3
        with attached.open(paths[3:]):
            assert opened() == {"0", "1", "2", "3", "4"}
    with attached.open(paths[1:2]), attached.open(paths[1:2]):
        assert opened() == {"1", "4"}
        attached.forget(paths[1:2])
        with attached.open(paths[1:2]) as again:
            assert connection.execute(f"SELECT * FROM {again[paths[1]]}.data").fetchall() == []
    paths[4].unlink()  # which frees its room only when nobody has it open
    now = 61.0
    with attached.open(paths[1:2]):
        assert opened() == {"1"}
    connection.close()


def test_a_value_that_its_type_cannot_hold_is_refused(
    engine: ColumnarEngine, numbers: RelationFiles
) -> None:
    small = RelationFiles("r0", [("k0", "N o.", "DECIMAL(1,0)")], numbers.files)
    with pytest.raises(EngineRefuses):
        run(engine, "SELECT CAST(k0 AS VARCHAR) FROM r0", small)


ELSEWHERE = """
import sys
from pathlib import Path
from columnar.engine import Bounds, ColumnarEngine
from columnar.relation import RelationFiles

file = Path(sys.argv[1])
engine = ColumnarEngine(file.parent, Bounds(1, 10**8, file.parent, 10**8))
moments = RelationFiles("r0", [("k0", "moment", "TIMESTAMP")], [file])
sql = "SELECT CAST(k0 AS VARCHAR) FROM r0 WHERE k0 >= TIMESTAMP '2024-03-31 01:30:00'"
print(engine.run(sql, [moments], timeout_s=30, max_rows=9, max_bytes=99).data)
"""


def test_a_moment_is_read_in_utc_wherever_the_machine_is(tmp_path: Path) -> None:
    file = tmp_path / "moments.parquet"
    moments = pa.array([datetime(2024, 3, 31, 1, 30, tzinfo=UTC)], type=pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"moment": moments}), file)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(file)],
        env={**os.environ, "TZ": "America/New_York"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[['2024-03-31 01:30:00']]"


@pytest.mark.parametrize("name", MEANING)
def test_what_rendering_counts_on_holds_in_each_run(engine: ColumnarEngine, name: str) -> None:
    ((value,),) = run(engine, f"SELECT CAST(current_setting('{name}') AS VARCHAR)").data
    assert value is not None
    assert value.lower() == MEANING[name].strip("'").lower()


def test_the_deadline_ends_a_run(engine: ColumnarEngine) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        run(engine, ENDLESS, timeout_s=0.2)
    assert time.monotonic() - began < 60
    with pytest.raises(OutOfTime):
        run(engine, "SELECT 'a'", timeout_s=0)
    assert run(engine, "SELECT 'a'").data == [["a"]]


@pytest.mark.parametrize("delay_s", [0, 0.2])
def test_another_thread_ends_a_run_even_before_it_has_begun(
    engine: ColumnarEngine, delay_s: float
) -> None:
    @contextlib.contextmanager
    def cancelling(cancel: Callable[[], None]) -> Iterator[None]:
        timer = threading.Timer(delay_s, cancel)
        timer.start()
        if delay_s == 0:
            timer.join()
        yield
        timer.join()

    with pytest.raises(OutOfTime):
        engine.run(ENDLESS, [], timeout_s=60, max_rows=10, max_bytes=10, cancelling=cancelling)


def test_runs_at_once_do_not_mix_and_one_is_ended_alone(engine: ColumnarEngine) -> None:
    ended: list[type[BaseException]] = []

    def endless() -> None:
        try:
            run(engine, ENDLESS, timeout_s=0.5)
        except OutOfTime as error:
            ended.append(type(error))

    thread = threading.Thread(target=endless)
    thread.start()
    for number in range(20):
        assert run(engine, f"SELECT '{number}'").data == [[str(number)]]
    thread.join()
    assert ended == [OutOfTime]


def test_answers_are_bounded_in_rows_and_bytes(engine: ColumnarEngine) -> None:
    with pytest.raises(AnswerTooLarge, match="rows"):
        run(engine, "SELECT 'a' FROM range(1001)")
    with pytest.raises(AnswerTooLarge, match="bytes"):
        run(engine, "SELECT repeat('a', 501) FROM range(2)")


def test_memory_and_temporary_files_are_bounded(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    engine = ColumnarEngine(tmp_path, Bounds(1, 40_000_000, temporary, 2_000_000))
    strings = "string_agg(CAST(i AS VARCHAR), ',') AS s FROM range(3000000) AS t(i)"
    sql = f"SELECT max(s) FROM (SELECT {strings} GROUP BY i % 300000)"
    try:
        with pytest.raises(EngineRefuses):
            run(engine, sql, max_bytes=10**9)
        assert run(engine, "SELECT 'a'").data == [["a"]]
    finally:
        engine.close()

"""`millrace load`, into a real PostgreSQL."""

import datetime as dt
import gzip
import struct
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.errors import CommandError
from cli.load import load

Run = Callable[..., Result]
Rows = list[tuple[Any, ...]]

few = settings(max_examples=15)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `millrace load` against a new database."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def runs(*arguments: object) -> Result:
        return CliRunner().invoke(load, [str(argument) for argument in arguments])

    return runs


def rows_of(url: str, table: str = "t") -> Rows:
    with psycopg.connect(url) as connection:
        return connection.execute(f'SELECT * FROM "{table}"'.encode()).fetchall()


def types_of(url: str, table: str = "t") -> list[str]:
    query = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    )
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute(query, [table]).fetchall()]


def refused(result: Result) -> str:
    assert isinstance(result.exception, CommandError), result.output
    assert result.exception.exit_code == 6
    return str(result.exception)


def tables(url: str) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute(query).fetchall()]


def write_csv(folder: Path, rows: Sequence[Sequence[object]], header: str = "") -> Path:
    lines = [header] if header else []
    lines += [",".join(_quoted(value) for value in row) for row in rows]
    file = folder / "rows.csv"
    file.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return file


def _quoted(value: object) -> str:
    return "" if value is None else '"' + str(value).replace('"', '""') + '"'


@few
@given(rows=st.lists(st.tuples(texts, st.none() | texts), min_size=1, max_size=20))
def test_texts_of_a_csv_file_come_back_as_they_were(
    run: Run, database_url: str, rows: list[tuple[str, str | None]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write_csv(Path(folder), rows, "a,b")
        told = ("--type", "a=text", "--type", "b=text", "--replace")
        assert run(file, "--table", "t", *told).exit_code == 0
    # a line break within quotes stays what it is; COPY wants one kind of row ends, ours are \n
    assert rows_of(database_url) == rows


_values: dict[str, st.SearchStrategy[object]] = {
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(-(10**20), 10**20, places=4, allow_nan=False),
    "double precision": st.floats(allow_nan=False, allow_infinity=False).map(
        lambda number: f"{number:e}" if number != int(number) else f"{number:.17e}"
    ),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp without time zone": st.datetimes(),
    "time without time zone": st.times(),
    "uuid": st.uuids(),
}


@few
@given(data=st.data())
def test_values_of_every_inferred_type_are_read_as_postgresql_reads_them(
    run: Run, database_url: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(_values)))
    values = data.draw(st.lists(st.none() | _values[name], min_size=1, max_size=20))
    with tempfile.TemporaryDirectory() as folder:
        file = write_csv(Path(folder), [(number, value) for number, value in enumerate(values)])
        result = run(file, "--table", "t", "--no-header", "--replace")
        assert result.exit_code == 0, result.exception
    (_, type_), present = types_of(database_url), [one for one in values if one is not None]
    narrower = {"bigint": {"integer"}, "timestamp without time zone": set[str]()}.get(name, set())
    assert type_ in ({name} | narrower if present else {"text"})
    with psycopg.connect(database_url) as connection:
        for number, value in enumerate(values):
            row = connection.execute(
                (
                    f"SELECT column2 IS NOT DISTINCT FROM %s::{type_} FROM t WHERE column1 = %s"
                ).encode(),
                [None if value is None else str(value), number],
            ).fetchone()
            assert row == (True,)


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-2", "0"], "integer"),
        (["2147483647", "2147483648"], "bigint"),
        (["9223372036854775807", "9223372036854775808"], "numeric"),
        (["1", "2.50"], "numeric"),
        (["1.5", "2e3"], "double precision"),
        (["007", "8"], "text"),
        (["1", "x"], "text"),
        (["true", "F"], "boolean"),
        (["2024-02-29"], "date"),
        (["2023-02-29"], "text"),
        (["0000-01-01"], "text"),
        (["2024-01-01", "2024-01-01 10:00"], "timestamp without time zone"),
        (["2024-01-01T10:00:00.1234567"], "text"),
        (["2024-01-01 10:00:00+01"], "timestamp with time zone"),
        (["2024-01-01 10:00:00Z", "2024-01-01 10:00:00"], "text"),
        (["24:00", "10:00"], "text"),
        (["23:59:59.5"], "time without time zone"),
        (["", ""], "text"),
        (["5", ""], "integer"),
    ],
)
def test_types_are_those_that_keep_every_value(
    run: Run, database_url: str, tmp_path: Path, values: list[str], type_: str
) -> None:
    file = tmp_path / "v.csv"
    file.write_text("k,v\n" + "".join(f"1,{value}\n" for value in values))
    assert run(file, "--table", "t").exit_code == 0
    assert types_of(database_url)[1] == type_


def test_the_last_value_of_a_long_file_counts_as_much_as_the_first(
    run: Run, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.loading.csv_file.BLOCKS_BYTES", (4096, 1 << 20))
    file = tmp_path / "long.csv"
    file.write_text("v\n" + "1\n" * 20_000 + "2.5\n")
    assert run(file, "--table", "t").exit_code == 0
    assert types_of(database_url) == ["numeric"]
    assert len(rows_of(database_url)) == 20_001


def test_a_row_longer_than_a_block_is_read_with_a_larger_one(
    run: Run, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.loading.csv_file.BLOCKS_BYTES", (1024, 1 << 20))
    file = tmp_path / "wide.csv"
    file.write_text("k,v\n" + "1,x\n" * 1000 + f'2,"{"y" * 50_000}"\n')
    assert run(file, "--table", "t").exit_code == 0
    assert len(rows_of(database_url)) == 1001


def test_compressed_files_byte_order_marks_and_other_delimiters_are_understood(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "v.tsv.gz"
    file.write_bytes(gzip.compress(b"\xef\xbb\xbfk\tv\n1\tNULL\n2\tb\n"))
    assert run(file, "--table", "t", "--null", "NULL").exit_code == 0
    assert rows_of(database_url) == [(1, None), (2, "b")]
    plain = tmp_path / "v.txt"
    plain.write_bytes(b"\xef\xbb\xbf1|x\n")
    assert run(plain, "--table", "u", "--no-header", "--delimiter", "|").exit_code == 0
    assert rows_of(database_url, "u") == [(1, "x")]


def test_a_header_alone_makes_a_table_without_rows(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "v.csv"
    file.write_text("a,b\n")
    assert run(file, "--table", "t").exit_code == 0
    assert rows_of(database_url) == []


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("a,b\n1,2\n3,x\n", ["--type", "b=int"], ["line 3", 'column "b"', '"x"', "--type b=text"]),
        ("a,b\n1,2\n3\n", [], ["line 3", "missing data", "--delimiter"]),
        ("a,b\n1,2\n3,4,5\n", [], ["line 3", "extra data"]),
        ("a\n1\n", ["--type", "z=int"], ['no column "z"', "It has: a"]),
        ("a\n1\n", ["--type", "a=integr"], ['no type "integr"']),
        ("a\n1\n", ["--type", "a=int); DROP TABLE x; --"], ["no type"]),
        ("a,a\n1,2\n", [], ['two columns are named "a"', "--no-header"]),
        ("a,\n1,2\n", [], ["column 2 has no name"]),
        ("", [], ["empty"]),
        ("a\n300\n", ["--type", "a=numeric(2,0)"], ["line 2", "overflow", "--type a=numeric"]),
        ("a\n1\n", ["--schema", "nowhere"], ['no schema "nowhere"', "--schema"]),
        ("a\n1\n", ["--append"], ["to append to"]),
    ],
)
def test_a_refused_file_leaves_nothing_and_says_where_and_what_to_do(
    run: Run, database_url: str, tmp_path: Path, content: str, options: list[str], words: list[str]
) -> None:
    file = tmp_path / "v.csv"
    file.write_text(content)
    message = refused(run(file, "--table", "t", *options))
    assert [word for word in words if word not in message] == [], message
    assert tables(database_url) == []


def test_a_file_that_is_not_utf_8_names_the_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_bytes(b"a\nfine\ncaf\xe9\n")
    message = refused(run(file, "--table", "t"))
    assert "line 3" in message
    assert "iconv" in message


def test_a_table_that_is_there_is_kept_unless_told_otherwise(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "v.csv"
    file.write_text("a,b\n1,x\n")
    assert run(file, "--table", "t").exit_code == 0
    assert "--replace" in refused(run(file, "--table", "t"))
    assert run(file, "--table", "t", "--append").exit_code == 0
    assert rows_of(database_url) == [(1, "x"), (1, "x")]
    assert run(file, "--table", "t", "--replace").exit_code == 0
    assert rows_of(database_url) == [(1, "x")]
    file.write_text("a,c\n1,x\n")
    assert 'a column "c"' in refused(run(file, "--table", "t", "--append"))


def test_a_replacement_that_fails_keeps_the_old_table(
    run: Run, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "v.csv"
    file.write_text("a\n1\n")
    assert run(file, "--table", "t").exit_code == 0
    file.write_text("a\n2\nx\n")
    refused(run(file, "--table", "t", "--replace", "--type", "a=int"))
    assert rows_of(database_url) == [(1,)]


def test_the_planner_knows_a_loaded_table(run: Run, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text("a\n" + "1\n" * 1000)
    assert run(file, "--table", "t").exit_code == 0
    with psycopg.connect(database_url) as connection:
        query = "SELECT reltuples FROM pg_class WHERE oid = 't'::regclass"
        assert connection.execute(query).fetchone() == (1000,)


def _single(value: float | None) -> float | None:
    """Round to the nearest float4, whose shortest digits are what PostgreSQL sends."""
    return None if value is None else float(struct.unpack("f", struct.pack("f", value))[0])


_parquet: dict[str, tuple[pa.DataType, st.SearchStrategy[Any], str]] = {
    "int8": (pa.int8(), st.integers(-128, 127), "smallint"),
    "int16": (pa.int16(), st.integers(-(2**15), 2**15 - 1), "smallint"),
    "int32": (pa.int32(), st.integers(-(2**31), 2**31 - 1), "integer"),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1), "bigint"),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1), "numeric(20,0)"),
    "float32": (pa.float32(), st.floats(width=32, allow_nan=False), "real"),
    "float64": (pa.float64(), st.floats(allow_nan=False), "double precision"),
    "decimal": (
        pa.decimal128(20, 4),
        st.decimals(-(10**15), 10**15, places=4, allow_nan=False),
        "numeric(20,4)",
    ),
    "string": (pa.string(), texts, "text"),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), texts, "text"),
    "bool": (pa.bool_(), st.booleans(), "boolean"),
    "date": (pa.date32(), st.dates(), "date"),
    "time": (pa.time64("us"), st.times(), "time without time zone"),
    "timestamp": (pa.timestamp("us"), st.datetimes(), "timestamp without time zone"),
    "timestamptz": (
        pa.timestamp("us", "Europe/Paris"),
        st.datetimes(min_value=dt.datetime(1900, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
        "timestamp with time zone",
    ),
    "binary": (pa.binary(), st.binary(max_size=8), "bytea"),
    "uuid": (pa.uuid(), st.uuids(), "uuid"),
}


@few
@given(data=st.data())
def test_values_of_a_parquet_file_come_back_as_they_were(
    run: Run, database_url: str, data: st.DataObject
) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(_parquet)), min_size=1, max_size=4))
    count = data.draw(st.integers(0, 8))
    columns = []
    for kind in kinds:
        strategy = st.none() | _parquet[kind][1]
        columns.append(data.draw(st.lists(strategy, min_size=count, max_size=count)))
    names = [f"c{number}" for number in range(len(kinds))]
    arrays = [
        pa.array(
            [value.bytes if kind == "uuid" and value is not None else value for value in values],
            pa.binary(16) if kind == "uuid" else _parquet[kind][0],
        )
        for kind, values in zip(kinds, columns, strict=True)
    ]
    arrays = [
        pa.ExtensionArray.from_storage(pa.uuid(), array) if kind == "uuid" else array
        for kind, array in zip(kinds, arrays, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        pyarrow.parquet.write_table(pa.Table.from_arrays(arrays, names=names), file)
        result = run(file, "--table", "t", "--replace")
        assert result.exit_code == 0, result.exception
    assert types_of(database_url) == [_parquet[kind][2] for kind in kinds]
    came = [
        [_single(value) if kind == "float32" else value for value in values]
        for kind, values in zip(kinds, zip(*rows_of(database_url), strict=True), strict=False)
    ]
    assert came == (columns if count else [])


def test_nanoseconds_are_not_cut_off_silently(run: Run, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    table = pa.table({"at": pa.array([1_000_000_001], pa.timestamp("ns"))})
    pyarrow.parquet.write_table(table, file)
    assert "--type at=text" in refused(run(file, "--table", "t"))
    assert tables(database_url) == []
    assert run(file, "--table", "t", "--type", "at=text").exit_code == 0
    assert rows_of(database_url) == [("1970-01-01 00:00:01.000000001",)]


@pytest.mark.parametrize("value", [[[1]], [{"a": 1}]])
def test_nested_columns_are_refused_by_name(
    run: Run, database_url: str, tmp_path: Path, value: list[Any]
) -> None:
    file = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"nested": value}), file)
    assert 'column "nested"' in refused(run(file, "--table", "t"))
    assert tables(database_url) == []


def test_a_text_with_a_zero_byte_names_its_row(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"a": ["fine", "ze\0ro"]}), file)
    message = refused(run(file, "--table", "t"))
    assert "row 2" in message
    assert "zero bytes" in message


def test_a_damaged_parquet_file_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    file.write_bytes(b"PAR1 and then nothing of use")
    assert "cannot be read as Parquet" in refused(run(file, "--table", "t"))


def test_decimals_keep_their_scale(run: Run, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    table = pa.table({"a": pa.array([Decimal("1.50"), None], pa.decimal128(12, 2))})
    pyarrow.parquet.write_table(table, file)
    assert run(file, "--table", "t").exit_code == 0
    assert [str(value) for (value,) in rows_of(database_url)] == ["1.50", "None"]

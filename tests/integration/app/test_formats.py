# ruff: noqa: E501 - SQL reads best on one line
"""One answer in each format: the formats must say the same, and what PostgreSQL says."""

import csv
import gzip
import io
import json
import math
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pytest

from app.formats.arrow_types import arrow_type
from query.fragment import ColumnType
from tests.integration.app.conftest import Replica

VALUES = {
    "int2": ["'-32768'", "NULL", "'7'"],
    "int4": ["'-2147483648'", "'2147483647'", "NULL"],
    "int8": ["'9223372036854775807'", "'-9223372036854775808'", "NULL"],
    "oid": ["'4294967295'", "NULL"],
    "float4": ["'NaN'", "'Infinity'", "'-Infinity'", "'1e-45'", "'3.4028235e38'", "'-0'", "'0.1'", "NULL"],
    "float8": ["'NaN'", "'-Infinity'", "'5e-324'", "'1.7976931348623157e308'", "'0.1'", "'1e22'", "'-0'", "NULL"],
    "numeric": ["'NaN'", "'Infinity'", "'0.10'", "'1e40'", "'-12345678901234567890.10'", "NULL"],
    "numeric(12,2)": ["'0.10'", "'-9999999999.99'", "NULL", "'0'"],
    "numeric(38,10)": ["'1234567890123456789012345678.0123456789'", "NULL"],
    "numeric(60,2)": ["'1234567890123456789012345678901234567890.12'", "NULL"],
    "numeric(3,-2)": ["'12345'", "NULL"],
    "bool": ["'t'", "'f'", "NULL"],
    "text": ["''", "NULL", "' '", "'a,b'", "'c\"d'", "e'line\\nbreak'", "e'carriage\\r\\nreturn'", "e'tab\\t\\x01\\x02'", "'\\.'", "'NULL'", "'ü😀'", "e'back\\\\slash'"],
    "varchar(9)": ["''", "'x'", "NULL"],
    "char(4)": ["'ab'", "NULL"],
    "name": ["'n'", "NULL"],
    "date": ["'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "NULL"],
    "time": ["'23:59:59.999999'", "'00:00'", "NULL"],
    "timetz": ["'10:00+05:30'", "NULL"],
    "timestamp": ["'2024-02-29 12:00:00.123456'", "'1969-12-31 23:59:59.5'", "'0001-01-01'", "NULL"],
    "timestamptz": ["'2024-02-29 12:00:00.123456+05:30'", "'1900-01-01'", "NULL"],
    "interval": ["'1 month -2 days 3.5 seconds'", "NULL"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "NULL"],
    "bytea": ["'\\x00ff10'", "''", "NULL"],
    "json": ["e'{\"a\":\\n 1.10}'", "'null'", "NULL"],
    "jsonb": ["'{\"a\": [1, 2.50, null], \"b\": \"x\\ny\"}'", "'\"s\"'", "NULL"],
    "int4[]": ["'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'", "'[0:1]={5,6}'", "NULL"],
    "int8[]": ["'{9223372036854775807}'", "NULL"],
    "numeric[]": ["'{0.10,NaN}'", "NULL"],
    "float8[]": ["'{0.1,NaN,Infinity}'", "NULL"],
    "bool[]": ["'{t,f,NULL}'", "NULL"],
    "text[]": ["ARRAY['a,b', 'c\"d', NULL, '', 'NULL', e'back\\\\slash', '{}']", "NULL"],
    "timestamp[]": ["ARRAY[timestamp '2024-01-01 10:00']", "NULL"],
    "date[]": ["ARRAY[date '2024-01-01']", "NULL"],
    "uuid[]": ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", "NULL"],
    "jsonb[]": ["ARRAY['{\"k\": 1}'::jsonb]", "NULL"],
    "bytea[]": ["'{\"\\\\x00\"}'", "NULL"],
    "int4range": ["'[1,5)'", "NULL"],
    "inet": ["'10.0.0.1/8'", "'10.0.0.1'", "NULL"],
    "point": ["'(1,2)'", "NULL"],
    "\"char\"": ["'x'", "NULL"],
    "bit(3)": ["'101'", "NULL"],
}  # fmt: skip
TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}


def ask(replica: Replica, sql: str, form: str = "json", **body: Any) -> httpx.Response:
    response = replica.http.post("/v1/query", params={"format": form}, json={"sql": sql, **body})
    assert response.status_code == 200, response.text
    return response


def rows_of_csv(text: str) -> list[list[str | None]]:
    """Read PostgreSQL's CSV, in which only quotes tell "" from NULL; Python's reader cannot."""
    rows: list[list[str | None]] = [[]]
    position = 0
    while position < len(text):
        value: str | None
        if text[position] == '"':
            end = position + 1
            while text[end] != '"' or text[end : end + 2] == '""':
                end += 2 if text[end] == '"' else 1
            value, position = text[position + 1 : end].replace('""', '"'), end + 1
        else:
            end = min(at for at in (text.find(",", position), text.find("\n", position)) if at >= 0)
            value, position = text[position:end] or None, end
        rows[-1].append(value)
        if text[position] == "\n":
            rows.append([])
        position += 1
    return rows[:-1]


def lines_of(response: httpx.Response) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    head, *rows, tail = [
        json.loads(line, parse_float=Decimal, parse_int=Decimal)
        for line in response.text.splitlines()
    ]
    return head, rows, tail


def table_of(response: httpx.Response) -> pa.Table:
    return pa.ipc.open_stream(response.content).read_all()


def values_of(type_name: str) -> str:
    values = ", ".join(
        f"({place}, {value}::{type_name})" for place, value in enumerate(VALUES[type_name])
    )
    return f"SELECT v FROM (VALUES {values}) AS given(place, v) ORDER BY place"


@pytest.mark.parametrize("type_name", VALUES)
def test_csv_is_that_of_copy(formats: Replica, owner: psycopg.Connection, type_name: str) -> None:
    sql = values_of(type_name)
    with owner.cursor().copy(f"COPY ({sql}) TO STDOUT (FORMAT csv, HEADER)".encode()) as copy:
        expected = b"".join(bytes(piece) for piece in copy)
    response = ask(formats, sql, "csv")
    assert response.content == expected
    # with a parameter the rows are not COPY's
    one_by_one = ask(formats, sql.replace("ORDER", "WHERE $1 ORDER"), "csv", params=["true"])
    assert one_by_one.content == expected
    assert response.headers["content-type"] == TYPES["csv"]


@pytest.mark.parametrize("numbers", ["number", "string"])
@pytest.mark.parametrize("type_name", VALUES)
def test_ndjson_has_the_values_of_json(formats: Replica, type_name: str, numbers: str) -> None:
    sql = values_of(type_name)
    url = f"/v1/query?numbers={numbers}"
    whole = json.loads(
        formats.http.post(url, json={"sql": sql}).content, parse_float=Decimal, parse_int=Decimal
    )
    for body in ({"sql": sql}, {"sql": sql.replace("ORDER", "WHERE $1 ORDER"), "params": ["true"]}):
        response = formats.http.post(url, json=body, headers={"Accept": "application/x-ndjson"})
        head, rows, tail = lines_of(response)
        assert rows == whole["rows"]
        assert (head["columns"], head["plan"]["mode"]) == (whole["columns"], "direct")
        assert (tail["row_count"], tail["truncated"], tail["complete"]) == (len(rows), False, True)


@pytest.mark.parametrize("type_name", VALUES)
def test_arrow_loses_nothing(formats: Replica, type_name: str) -> None:
    sql = values_of(type_name)
    texts = [row[0] for row in rows_of_csv(ask(formats, sql, "csv").text)[1:]]
    for body in ({"sql": sql}, {"sql": sql.replace("ORDER", "WHERE $1 ORDER"), "params": ["true"]}):
        table = table_of(formats.http.post("/v1/query?format=arrow", json=body))
        assert [
            as_text(value, table.schema.field(0).type, text)
            for value, text in zip(table.column(0).to_pylist(), texts, strict=True)
        ] == texts
        assert table.schema.field(0).metadata[b"postgresql.type"].decode()


def as_text(value: Any, kind: pa.DataType, text: str | None) -> str | None:
    """Return PostgreSQL's text of an Arrow value, or a text that it is equal to."""
    if value is None or isinstance(value, str):
        return value
    if pa.types.is_boolean(kind):
        return "t" if value else "f"
    if pa.types.is_floating(kind):
        told = float(str(text).replace("Infinity", "inf"))
        kept = pa.array([told], kind)[0].as_py()
        if math.isnan(value):
            return text if math.isnan(kept) else repr(value)
        same = (value, math.copysign(1, value)) == (kept, math.copysign(1, kept))
        return text if same else repr(value)
    if pa.types.is_binary(kind):
        return f"\\x{value.hex()}"
    if pa.types.is_timestamp(kind):
        naive = value.replace(tzinfo=None).isoformat(" ")
        naive = naive.rstrip("0") if "." in naive else naive
        return f"{naive}+00" if kind.tz else str(naive)
    return str(value)


def test_arrow_types_hold_more_than_text_where_they_can(formats: Replica) -> None:
    sql = "SELECT 1::int2 AS a, 1::int4, 1::int8, 1::float4, 1::float8, true, 1::numeric(12,2), 1::numeric, now()::date, now()::timestamp, now(), now()::time, 'x', ''::bytea, 1::oid"
    schema = table_of(ask(formats, sql, "arrow")).schema
    assert [str(field.type) for field in schema] == [
        "int16", "int32", "int64", "float", "double", "bool", "decimal128(12, 2)", "string", "date32[day]",
        "timestamp[us]", "timestamp[us, tz=UTC]", "time64[us]", "string", "binary", "uint32",
    ]  # fmt: skip
    assert schema.metadata[b"millrace.query_id"]
    assert arrow_type(ColumnType(1700, ((3 << 16) | 5) + 4, "")) == pa.string()


@pytest.mark.parametrize(
    "literal",
    ["'infinity'::date", "'NaN'::numeric(5,2)", "'24:00'::time", "'0044-03-15 BC'::timestamp"],
)
def test_what_arrow_cannot_hold_is_refused_not_changed(formats: Replica, literal: str) -> None:
    response = formats.http.post(
        "/v1/query?format=arrow", json={"sql": f"SELECT 1 AS a, {literal} AS bad"}
    )
    assert response.status_code == 406
    assert '"bad"' in response.json()["detail"]


def test_columns_of_one_name_stay_apart(formats: Replica) -> None:
    sql = 'SELECT 1 AS a, \'x\' AS a, NULL::int AS "a,b", 2 AS """"'
    assert ask(formats, sql, "csv").text == 'a,a,"a,b",""""\n1,x,,2\n'
    head, rows, _ = lines_of(ask(formats, sql, "ndjson"))
    assert [column["name"] for column in head["columns"]] == ["a", "a", "a,b", '"']
    assert rows == [[1, "x", None, 2]]
    table = table_of(ask(formats, sql, "arrow"))
    assert table.schema.names == ["a", "a", "a,b", '"']
    assert [column.to_pylist() for column in table.columns] == [[1], ["x"], [None], [2]]


@pytest.mark.parametrize("params", [[], ["0"]])
def test_no_rows_are_still_an_answer(formats: Replica, params: list[str]) -> None:
    sql = f"SELECT 1 AS a, 'x' AS b WHERE 1 = {'$1' if params else '0'}"
    assert ask(formats, sql, "csv", params=params).text == "a,b\n"
    head, rows, tail = lines_of(ask(formats, sql, "ndjson", params=params))
    assert ([column["name"] for column in head["columns"]], rows, tail["row_count"]) == (
        ["a", "b"],
        [],
        0,
    )
    table = table_of(ask(formats, sql, "arrow", params=params))
    assert (table.num_rows, table.schema.names) == (0, ["a", "b"])


def test_rows_without_columns_are_counted(formats: Replica) -> None:
    sql = "SELECT FROM generate_series(1, 3)"
    assert ask(formats, sql, "csv").text == "\n\n\n\n"
    _, rows, tail = lines_of(ask(formats, sql, "ndjson"))
    assert (rows, tail["row_count"]) == ([[], [], []], 3)
    assert last_metadata(ask(formats, sql, "arrow"))[b"millrace.row_count"] == b"3"


def last_metadata(response: httpx.Response) -> dict[bytes, bytes]:
    reader = pa.ipc.open_stream(response.content)
    last: Any = None
    while True:
        try:
            last = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            return dict(last.custom_metadata)


@pytest.mark.parametrize("sql", ["SELECT 1 AS a; ", "SELECT 1 AS a -- not)", "SELECT 1 AS a; -- done", "/* ( */ SELECT 1 AS a /* ) */", "SELECT 1 AS a WHERE ';' <> ')' -- ;", "WITH x AS (SELECT 1 AS a) SELECT a FROM x", "VALUES (1)"])  # fmt: skip
def test_comments_and_semicolons_are_no_part_of_the_copy(formats: Replica, sql: str) -> None:
    assert ask(formats, sql, "csv").text.splitlines()[1:] == ["1"]
    assert lines_of(ask(formats, sql, "ndjson"))[1] == [[1]]


@pytest.mark.parametrize("sql", ["SELECT 1) TO STDOUT --", "SELECT 1) TO PROGRAM 'true' --", "SELECT 1 AS a\n) TO STDOUT; SELECT (1"])  # fmt: skip
@pytest.mark.parametrize("form", TYPES)
def test_nothing_breaks_out_of_the_copy(formats: Replica, form: str, sql: str) -> None:
    response = formats.http.post("/v1/query", params={"format": form}, json={"sql": sql})
    assert response.status_code in (400, 403, 422)
    assert response.headers["content-type"] == "application/problem+json"


def test_more_rows_than_a_json_answer_may_have_are_streamed(formats: Replica) -> None:
    sql = "SELECT i, 'row ' || i FROM generate_series(1, 200000) AS i"
    assert ask(formats, sql).json()["truncated"]
    text = ask(formats, sql, "csv").text
    assert text.count("\n") == 200_001
    assert text.endswith("\n200000,row 200000\n")
    assert lines_of(ask(formats, sql, "ndjson"))[2]["row_count"] == 200_000
    assert table_of(ask(formats, sql, "arrow")).num_rows == 200_000


@pytest.mark.parametrize("params", [[], ["50"]])
def test_a_limit_of_rows_is_obeyed_and_told(formats: Replica, params: list[str]) -> None:
    sql = f"SELECT generate_series(1, {'$1::int' if params else 50}) AS a"
    assert ask(formats, sql, "csv", params=params, max_rows=3).text == "a\n1\n2\n3\n"
    _, rows, tail = lines_of(ask(formats, sql, "ndjson", params=params, max_rows=3))
    assert (len(rows), tail["row_count"], tail["truncated"]) == (3, 3, True)
    response = ask(formats, sql, "arrow", params=params, max_rows=3)
    assert last_metadata(response)[b"millrace.truncated"] == b"true"


@pytest.mark.parametrize("form", [*TYPES, "json"])
def test_an_error_before_the_first_row_is_a_problem(formats: Replica, form: str) -> None:
    for sql in ("SELECT nothing", "SELECT 1 / 0", "SELEC 1", "DELETE FROM t"):
        response = formats.http.post("/v1/query", params={"format": form}, json={"sql": sql})
        assert response.headers["content-type"] == "application/problem+json"
        assert response.status_code >= 400


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", TYPES["csv"]),
        ("text/csv", TYPES["csv"]),
        ("text/csv; header=present; charset=utf-8", TYPES["csv"]),
        ("text/csv; header=absent, application/json;q=0.1", "application/json"),
        ("application/json;q=0.5, application/x-ndjson", TYPES["ndjson"]),
        ("application/json;q=0, */*", TYPES["ndjson"]),
        ("APPLICATION/VND.APACHE.ARROW.STREAM", TYPES["arrow"]),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
    ],
)
def test_accept_chooses_the_format(formats: Replica, accept: str, expected: str) -> None:
    response = formats.http.post("/v1/query", json={"sql": "SELECT 1"}, headers={"Accept": accept})
    assert response.headers["content-type"] == expected
    assert response.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "text/csv;header=absent"])  # fmt: skip
def test_no_acceptable_format_names_those_that_there_are(formats: Replica, accept: str) -> None:
    response = formats.http.post("/v1/query", json={"sql": "SELECT 1"}, headers={"Accept": accept})
    assert response.status_code == 406
    assert TYPES["ndjson"] in response.json()["available"]


def test_the_url_wins_over_accept(formats: Replica) -> None:
    url = "/v1/query?format=csv"
    response = formats.http.post(url, json={"sql": "SELECT 1"}, headers={"Accept": "text/html"})
    assert response.headers["content-type"] == TYPES["csv"]
    assert formats.http.post("/v1/query?format=xml", json={"sql": "SELECT 1"}).status_code == 422


@pytest.mark.parametrize("form", [*TYPES, "json"])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_answers_are_compressed_when_asked_for(formats: Replica, form: str, encoding: str) -> None:
    sql = "SELECT i, 'the same words again' FROM generate_series(1, 5000) AS i"
    request = formats.http.build_request(
        "POST",
        "/v1/query",
        params={"format": form},
        json={"sql": sql},
        headers={"Accept-Encoding": encoding},
    )
    response = formats.http.send(request, stream=True)
    raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == encoding
    plain = (
        gzip.decompress(raw)
        if encoding == "gzip"
        else pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read()
    )
    assert len(raw) < len(plain) / 3
    if form == "csv":
        assert plain == ask(formats, sql, "csv").content
    elif form == "arrow":
        assert pa.ipc.open_stream(plain).read_all().num_rows == 5000
    elif form == "ndjson":
        assert json.loads(plain.splitlines()[-1])["complete"]
    else:
        assert json.loads(plain)["row_count"] == 5000


@pytest.mark.parametrize("accept", ["identity", "gzip;q=0", "br", "gzip;q=0, identity"])
def test_answers_are_plain_unless_compression_is_asked_for(formats: Replica, accept: str) -> None:
    sql = "SELECT repeat('x', 5000)"
    response = formats.http.post(
        "/v1/query", json={"sql": sql}, headers={"Accept-Encoding": accept}
    )
    assert "content-encoding" not in response.headers


def test_a_short_answer_is_not_worth_compressing(formats: Replica) -> None:
    response = formats.http.post(
        "/v1/query", json={"sql": "SELECT 1"}, headers={"Accept-Encoding": "gzip"}
    )
    assert "content-encoding" not in response.headers


def test_python_reads_the_csv_too(formats: Replica) -> None:
    text = ask(formats, "SELECT 'a\"b', 'c,d', 'e'", "csv").text
    assert list(csv.reader(io.StringIO(text)))[1] == ['a"b', "c,d", "e"]

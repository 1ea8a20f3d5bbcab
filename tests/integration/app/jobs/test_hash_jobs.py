"""Jobs that hash rows, from the upload to corrected rows, over HTTP on real servers."""

import base64
import csv
import hashlib
import hmac
import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from hashing.digester import Digester
from hashing.rows import encode_row
from jobs.ledger import POINT_QUERIES
from jobs.settings import JobSettings
from jobs.uploads import Uploads
from tasks.client import connect
from tasks.consumer import worker_name
from tasks.settings import QueueSettings
from tests.integration.app.conftest import _starter
from tests.integration.app.jobs.conftest import Desk
from worker.kinds import Tools, job_kinds
from worker.wiring import bulk_runner

KEY = b"a secret key"


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> Iterator[Desk]:
    """A replica and a worker as they are, with a table."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS hashdesk")
        connection.execute("CREATE DATABASE hashdesk")
    url = postgres.url("hashdesk")
    settings = DatabaseSettings(url=url, own_pool_size=8, pool_size=4)
    migrate(url, settings)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 2000) AS n")
        connection.execute("GRANT SELECT ON t TO millrace_reader")
    queue = QueueSettings(url=valkey.url(1021), block_s=0.1)
    jobs = JobSettings(lease_s=60.0, renew_s=0.2, reconcile_s=0.1, poll_s=0.5)
    with (
        own_database(settings, "test", session=POINT_QUERIES) as own,
        reader_database(settings, "test") as reader,
        connect(queue, "t") as client,
    ):
        tools = Tools(own, reader, {}, jobs, {"mine": KEY}, Digester({}), Uploads(own))
        runner = bulk_runner(
            own, client, job_kinds(tools), jobs, name=worker_name(), slots=2,
            block_s=queue.block_s,
        )  # fmt: skip
        runner.start()
        keys = f'{{"mine": "{base64.b64encode(KEY).decode()}"}}'
        for start in _starter(tmp_path_factory.mktemp("hashdesk")):
            replica = start(DATABASE_URL=url, REDIS_URL=queue.url, MILLRACE_HASH_KEYS=keys)
            yield Desk(replica, url)
        runner.drain(0.0)


def upload(desk: Desk, data: bytes) -> str:
    response = desk.http.post("/v1/uploads", content=data, headers={"Upload-Complete": "?1"})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def digests(desk: Desk, place: str) -> list[tuple[int, str]]:
    response = desk.http.get(f"{place}/result?format=csv")
    assert response.status_code == 200, response.text
    rows = list(csv.reader(io.StringIO(response.text)))
    assert rows[0] == ["row", "digest"]
    return [(int(row), digest) for row, digest in rows[1:]]


def expected(rows: list[list[str]]) -> list[tuple[int, str]]:
    return [(n, hashlib.sha256(encode_row(row)).hexdigest()) for n, row in enumerate(rows, 1)]


def test_failed_rows_are_sent_back_corrected_and_take_their_places(desk: Desk) -> None:
    file = upload(desk, b'a,b\n1,one\n2\n3,thr"ee\n4,four\n')
    place = desk.finished("hash_rows", upload=file, format="csv")
    assert desk.job(place)["summary"]["failed_rows"] == 2
    errors = desk.http.get(f"{place}/errors?format=csv").text.splitlines()
    assert errors[:2] == ["row,line,reason,text", "2,3,1 cells instead of 2,2"]
    records = desk.http.get(f"{place}/failed-records")
    assert (records.status_code, records.content) == (200, b'2\n3,thr"ee\n')
    corrected = upload(desk, b'2,two\n3,"thr""ee"\n')
    response = desk.http.post(f"{place}/retry", json={"corrected": corrected})
    assert response.status_code == 200, response.text
    desk.wait(place)
    rows = [["1", "one"], ["2", "two"], ["3", 'thr"ee'], ["4", "four"]]
    assert digests(desk, place) == expected(rows)
    assert desk.job(place)["summary"]["failed_rows"] == 0
    assert desk.http.get(f"{place}/failed-records").status_code == 204


def test_the_rows_of_a_query_are_hashed(desk: Desk) -> None:
    sql = "SELECT n FROM t WHERE n <= $1 ORDER BY n DESC"
    place = desk.finished("hash_query", sql=sql, params=[1500])
    assert digests(desk, place) == [
        (row, hashlib.sha256(encode_row([n])).hexdigest())
        for row, n in enumerate(range(1500, 0, -1), 1)
    ]
    assert desk.job(place)["summary"] == {"rows": 1500, "hashed_rows": 1500, "failed_rows": 0}


def test_a_key_is_named_and_neither_taken_nor_told(desk: Desk) -> None:
    file = upload(desk, b"x\n")
    csv_options = {"header": False}
    place = desk.finished(
        "hash_rows", upload=file, format="csv", csv=csv_options, row_encoding="value", key="mine"
    )
    ((_, digest),) = digests(desk, place)
    assert digest == hmac.digest(KEY, b"x", "sha256").hex()
    told = desk.http.get(place).text
    assert "mine" in told
    assert "fingerprint" not in told
    response = desk.post("hash_rows", upload=file, format="csv", key="c2VjcmV0")
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/parameters/key"
    assert "the parameters of jobs are stored" in error["reason"]
    assert "c2VjcmV0" not in response.text


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"upload": "0" * 32}, "/parameters/upload"),
        ({"format": "xml"}, "/parameters/format"),
        ({"format": "ndjson"}, "/parameters/columns"),
        ({"format": "ndjson", "csv": {}}, "/parameters/csv"),
        ({"format": "parquet", "row_encoding": "raw"}, "/parameters/row_encoding"),
        ({"columns": ["a"], "row_encoding": "raw"}, "/parameters/columns"),
        ({"columns": ["a", "b"], "row_encoding": "value"}, "/parameters/columns"),
        ({"columns": ["a", "a"]}, "/parameters/columns"),
        ({"columns": [1]}, "/parameters/columns"),
        ({"columns": ["a"], "csv": {"header": False}}, "/parameters/columns"),
        ({"csv": {"quote": ","}}, "/parameters/csv/quote"),
        ({"csv": {"delimiter": "\n"}}, "/parameters/csv/delimiter"),
        ({"csv": {"encoding": "utf-16"}}, "/parameters/csv/encoding"),
        ({"algorithm": "sha255"}, "/parameters/algorithm"),
        ({"length": 7}, "/parameters/length"),
        ({"algorithm": "blake2b", "salt": "x", "salt_encoding": "hex"}, "/parameters/salt"),
        ({"key_encoding": "hex"}, "/parameters/key_encoding"),
    ],
)
def test_what_cannot_work_is_not_accepted(
    desk: Desk, changes: dict[str, Any], pointer: str
) -> None:
    given = {"upload": upload(desk, b"a,b\n1,2\n"), "format": "csv"} | changes
    response = desk.post("hash_rows", **given)
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("sql", "choice", "remedy"),
    [
        ("SELECT 1 AS one, 2 AS two", {"columns": ["tow"]}, "Did you mean 'two'?"),
        ("SELECT 1 AS a, 2 AS a", {"columns": ["a"]}, "Give each a name of its own"),
        ("SELECT 1 AS a, 2 AS b", {"row_encoding": "value"}, "Name the one"),
    ],
)
def test_columns_that_a_query_does_not_have_once_are_not_accepted(
    desk: Desk, sql: str, choice: dict[str, Any], remedy: str
) -> None:
    response = desk.post("hash_query", sql=sql, **choice)
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/parameters/columns"
    assert error["remedy"].startswith(remedy)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("DELETE FROM t", []),
        ("SELECT nothing FROM t", []),
        ("SELECT n FROM t WHERE n = $1", []),
        ("SELECT FROM FROM", []),
        ("SELECT n FROM tt", []),
    ],
)
def test_a_query_is_vetted_as_those_that_run_at_once(
    desk: Desk, sql: str, params: list[Any]
) -> None:
    asked: dict[str, Any] = {"sql": sql, "params": params}
    at_once = desk.http.post("/v1/query", json=asked)
    response = desk.post("hash_query", **asked)
    assert response.status_code == at_once.status_code
    assert response.json()["type"] == at_once.json()["type"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"corrected": "0" * 32}, "/corrected"), ({"corrected": 1}, "/corrected"), ({"x": 1}, "/x")],
)
def test_a_retry_takes_nothing_but_a_complete_upload(
    desk: Desk, body: dict[str, Any], pointer: str
) -> None:
    place = desk.finished("hash_rows", upload=upload(desk, b"a\n1\n"), format="csv")
    response = desk.http.post(f"{place}/retry", json=body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert desk.job(place)["state"] == "done"


def test_rows_of_parquet_are_not_corrected(desk: Desk) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), file)
    data = file.getvalue()
    place = desk.finished("hash_rows", upload=upload(desk, data), format="parquet")
    response = desk.http.post(f"{place}/retry", json={"corrected": upload(desk, b"1\n")})
    assert response.status_code == 409
    assert [row for row, _ in digests(desk, place)] == [1, 2]

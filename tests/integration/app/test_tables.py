"""Tables over the API and by command: shown, accelerated, refused, and let go."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import make_server

import psycopg
import pytest
from click.testing import CliRunner
from flask import Flask
from prometheus_client import generate_latest

from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from cli.main import millrace
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.app.test_breaker import Quiet
from tests.integration.segments.keepers import RunningKeeper, eventually
from tests.integration.segments.keepers import environment as keeping

_TABLES = """
CREATE TABLE orders (id int PRIMARY KEY, note text, amount numeric);
INSERT INTO orders SELECT n, 'x', n FROM generate_series(1, 3000) AS n;
CREATE TABLE "odd.name & more" (id int PRIMARY KEY);
CREATE TABLE keyless (n int);
CREATE VIEW seen AS SELECT * FROM orders;
CREATE SCHEMA sales;
CREATE TABLE sales.hidden (id int PRIMARY KEY);
"""


@pytest.fixture
def app(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Flask]:
    with psycopg.connect(database_url) as connection:
        connection.execute(_TABLES.encode())
    migrate(database_url, DatabaseSettings(url=database_url))
    keeping(monkeypatch, database_url, tmp_path / "segments")
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("MILLRACE_DB_LOCK_TIMEOUT_S", "0.3")
    services = build_services(ReplicaSettings.from_environment())
    with services.database, services.own_database:
        yield build_app(services)
    close(services)


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def command(url: str, *words: str) -> Any:
    result = CliRunner().invoke(millrace, ["accelerate", *words, "--url", url, "--output", "json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.output)


def test_what_can_be_queried_is_listed(app: Flask) -> None:
    client = app.test_client()
    tables = {one["name"]: one for one in client.get("/v1/tables").get_json()["tables"]}
    assert set(tables) == {
        "public.orders", 'public."odd.name & more"', "public.keyless", "public.seen"
    }  # fmt: skip
    orders = tables["public.orders"]
    assert orders["columns"][2] == {"name": "amount", "type": "numeric"}
    assert (orders["kind"], orders["acceleration"]) == ("table", None)
    assert orders["bytes"] > 100_000
    assert tables["public.seen"]["kind"] == "view"
    for name in ("orders", "public.orders", '"public"."orders"'):
        assert client.get(f"/v1/tables/{quote(name)}").get_json()["name"] == "public.orders"
    for name in ("nothing", "sales.hidden", "a.b.c", "%00", "x" * 200):
        answer = client.get(f"/v1/tables/{name}")
        assert answer.status_code == 404, name
        assert answer.get_json()["type"] == "/problems/table-unknown"


def test_a_table_is_accelerated_and_let_go_by_command(app: Flask, url: str) -> None:
    client = app.test_client()
    path = "/v1/tables/orders/acceleration"
    first = client.post(path)
    assert first.status_code == 202
    assert first.headers["Location"] == "/v1/tables/public.orders"
    assert first.get_json()["acceleration"]["state"] == "ordered"
    with RunningKeeper():
        document = command(url, "orders", "--wait", "--wait-s", "30")
        known = document["acceleration"]
        assert (known["state"], known["rows"], known["clean_share"]) == ("ready", 3000, 1.0)
        assert known["buckets"] == known["segments"] == 4
        assert known["left_out"][0]["column"] == "amount"
        again = client.post(path)
        assert (again.status_code, again.get_json()["acceleration"]["state"]) == (202, "ready")
        command(url, 'public."odd.name & more"', "--wait", "--wait-s", "30")
        assert len(command(url, "--list")) == 2
    services = app.extensions["millrace"]
    oid = _oid(services.own_database, "orders")
    services.tables.asked.note_asked([oid, 1], columnar=True)
    services.tables.asked.start()
    services.tables.asked.note_asked([oid], columnar=False)
    services.tables.asked.stop()
    known = client.get("/v1/tables/orders").get_json()["acceleration"]
    assert (known["queries"], known["columnar_queries"], known["hit_share"]) == (2, 1, 0.5)
    services.tables.metrics.look()
    told = generate_latest(services.metrics.registry).decode()
    assert 'millrace_app_table_segments{table="public.orders"} 4.0' in told
    # without any keeper, too
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 204
    assert client.get("/v1/tables/orders").get_json()["acceleration"] is None
    assert command(url, 'public."odd.name & more"', "--remove")["acceleration"] is None
    with services.own_database.connection() as own:
        row = own.execute(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'millrace%'),"
            " (SELECT count(*) FROM millrace.segments)"
        ).fetchone()
    assert row == ("0", "0")


def _oid(database: Any, name: str) -> int:
    with database.connection() as connection:
        row = connection.execute("SELECT $1::regclass::oid", [f"public.{name}"]).fetchone()
    return int(row[0])


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("keyless", 422, "no-key"), ("seen", 422, "kind"), ("sales.hidden", 422, "no-right"),
        ("millrace.segments", 422, "system"), ("nothing", 404, None),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused_with_the_remedy(
    app: Flask, name: str, status: int, code: str | None
) -> None:
    answer = app.test_client().post(f"/v1/tables/{name}/acceleration")
    problem = answer.get_json()
    assert answer.status_code == status
    assert problem.get("code") == code
    if code is not None:
        (error,) = problem["errors"]
        assert error["remedy"] in problem["detail"]


def test_a_table_that_is_being_altered_is_a_conflict_for_the_moment(
    app: Flask, database_url: str
) -> None:
    with psycopg.connect(database_url) as busy:
        busy.execute("ALTER TABLE orders ADD later int")
        answer = app.test_client().get("/v1/tables/orders")
    assert answer.status_code == 503
    assert answer.get_json()["type"] == "/problems/database-conflict"
    assert answer.headers["Retry-After"] == "2"


def test_a_table_that_somebody_locks_is_let_go_later(app: Flask, database_url: str) -> None:
    client = app.test_client()
    client.post("/v1/tables/orders/acceleration")

    def acceleration() -> Any:
        return client.get("/v1/tables/orders").get_json()["acceleration"]

    with RunningKeeper():
        eventually(lambda: acceleration()["state"] == "ready", "the copy")
    with psycopg.connect(database_url) as busy:
        busy.execute("LOCK TABLE orders IN SHARE MODE")
        answer = client.delete("/v1/tables/orders/acceleration")
        assert answer.status_code == 202
        assert answer.get_json()["acceleration"]["state"] == "removing"
    with RunningKeeper():
        eventually(lambda: acceleration() is None, "the end")

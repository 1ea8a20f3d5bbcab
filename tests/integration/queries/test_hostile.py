"""Whatever is sent, it is refused or bounded, and nothing of it stays."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.hostile_inputs import INPUTS, LATE, Hostile
from tests.integration.app.conftest import Replica, wait_until

DATABASE = "hostile"
# for what may take all of its time; others have some, on a busy machine too
TIMEOUT_S, PATIENCE_S = 2, 30
# of which the interpreter with all modules takes about 90
MOST_MEGABYTES = 400
TABLES = """
CREATE TABLE t AS SELECT n FROM generate_series(1, 500) AS n;
CREATE SEQUENCE s;
CREATE FUNCTION writes() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM t RETURNING n';
CREATE SCHEMA hidden;
CREATE TABLE hidden.secret (code text);
CREATE TYPE hidden.mood AS ENUM ('x');
CREATE FUNCTION hidden.f(int) RETURNS int LANGUAGE sql RETURN 1;
CREATE SCHEMA visible;
CREATE TABLE visible.secret (code text);
GRANT USAGE ON SCHEMA visible TO millrace_reader;
ANALYZE t;
"""
STATE = """
SELECT (SELECT md5(string_agg(n::text, ',' ORDER BY n)) FROM t), (SELECT last_value FROM s),
       (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc),
       (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_type),
       (SELECT string_agg(r::text, ';' ORDER BY rolname) FROM pg_authid r),
       (SELECT string_agg(s::text, ';' ORDER BY s::text) FROM pg_db_role_setting s),
       (SELECT count(*) FROM pg_largeobject_metadata),
       (SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
         WHERE locktype = 'advisory' AND datname = current_database()),
       (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM pg_replication_slots),
       (SELECT string_agg(name || setting, ';' ORDER BY name) FROM pg_file_settings)
"""
RUNNING = (
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'millrace_reader' "
    "AND datname = current_database() AND state <> 'idle'"
)


def state(url: str) -> tuple[object, ...]:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(STATE).fetchone()
    assert row is not None
    return row


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of a database with something to harm, which in the end nobody has harmed."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    url = postgres.url(DATABASE)
    migrate(url, DatabaseSettings(url=url, temp_file_limit_mb=64))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
    before = state(url)
    yield url
    assert state(url) == before
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture(scope="module")
def replica(
    url: str, valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replica]:
    """A replica over it; at the end its memory never was large, and nothing still runs."""
    replica = Replica(
        tmp_path_factory.mktemp("hostile") / "replica",
        {
            "DATABASE_URL": url,
            "REDIS_URL": valkey.url(1023),
            "MILLRACE_QUERY_TIMEOUT_S": str(PATIENCE_S),
            "MILLRACE_MAX_ROWS": "100",
        },
    )
    try:
        wait_until(replica.answers, "the replica answers")
        yield replica
        with psycopg.connect(url, autocommit=True) as connection:
            wait_until(lambda: connection.execute(RUNNING).fetchone() == (0,), "nothing runs")
        parent = psutil.Process(replica.process.pid)
        for process in (parent, *parent.children()):
            assert most_megabytes(process.pid) < MOST_MEGABYTES
        assert "Traceback" not in replica.log.read_text()
    finally:
        replica.stop()


def most_megabytes(pid: int) -> float:
    """Return the most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (most,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return most / 1024


@pytest.mark.parametrize("hostile", INPUTS, ids=[hostile.name for hostile in INPUTS])
def test_it_is_refused_or_bounded(replica: Replica, hostile: Hostile) -> None:
    timeout_s = TIMEOUT_S if LATE in hostile.ends else PATIENCE_S
    body = {"sql": hostile.sql, "params": hostile.params, "timeout_s": timeout_s}
    answer = replica.http.post("/v1/query", json=body, timeout=timeout_s + 20)
    slug = "answer" if answer.status_code == 200 else answer.json()["type"].split("/")[-1]
    assert slug in hostile.ends, answer.text[:500]


def test_there_are_enough_of_them_and_each_has_a_name() -> None:
    assert len({hostile.name for hostile in INPUTS}) == len(INPUTS) >= 60


@pytest.mark.parametrize("path", ["/v1/query", "/v1/query/explain"])
@pytest.mark.parametrize("engine", ["auto", "direct", "partitioned"])
def test_what_is_in_other_schemas_cannot_be_told_from_what_is_not(
    replica: Replica, engine: str, path: str
) -> None:
    answers = set()
    for sql in (
        "SELECT * FROM hidden.secret",
        "SELECT * FROM hidden.missing",
        "SELECT * FROM missing.secret",
        "SELECT code FROM visible.secret",
        "SELECT cod FROM visible.secret",
        "SELECT secret.cod FROM visible.secret AS secret",
        "SELECT code FROM visible.missing",
        "SELECT hidden.f(1)",
        "SELECT hidden.missing(1)",
        "SELECT 'y'::hidden.mood",
        "SELECT 'y'::hidden.missing",
        "SELECT OPERATOR(hidden.-) 1",
        "SELECT 'a' COLLATE hidden.x",
        "SELECT hidden.secret.code FROM t",
        "SELECT visible.secret.code FROM t",
        "SELECT missing.secret.code FROM t",
    ):
        answer = replica.http.post(path, json={"sql": sql, "engine": engine})
        assert answer.status_code == 403, (sql, answer.text)
        answers.add(tuple(sorted({**answer.json(), "instance": ""}.items())))
    assert len(answers) == 1, answers


@pytest.mark.parametrize("engine", ["auto", "direct", "partitioned"])
def test_a_wrong_alias_is_told_of_in_the_same_words_whatever_schemas_there_are(
    replica: Replica, engine: str
) -> None:
    answers = set()
    for alias in ("hidden", "visible", "nowhere"):
        body = {"sql": f"SELECT {alias}.secret FROM t AS a", "engine": engine}
        answer = replica.http.post("/v1/query", json=body)
        assert answer.json()["sqlstate"] == "42P01", answer.text
        assert f'missing FROM-clause entry for table "{alias}"' in answer.text.replace("\\", "")
        told = {**answer.json(), "instance": ""}
        answers.add(str(sorted(told.items())).replace(alias, "x"))
    assert len(answers) == 1, answers


@pytest.mark.parametrize("path", ["/v1/query", "/v1/query/explain"])
@pytest.mark.parametrize("engine", ["auto", "direct", "partitioned"])
def test_no_way_in_leaves_the_vetting_out(replica: Replica, engine: str, path: str) -> None:
    for sql in ("SELECT set_config('a.b', 'c', false)", "DELETE FROM t", "SELECT 1; SELECT 2"):
        answer = replica.http.post(path, json={"sql": sql, "engine": engine})
        assert answer.json()["type"] == "/problems/statement-not-allowed"

"""What HTTP says about answers that were computed before."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.app.conftest import Replica, _starter

SQL = "SELECT id, n FROM t ORDER BY id"


@pytest.fixture
def server(
    tables_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replica]:
    for start in _starter(tmp_path_factory.mktemp("cache")):
        yield start(
            DATABASE_URL=tables_url, REDIS_URL=redis_url, MILLRACE_CACHE_REDIS_TIMEOUT_S="30"
        )


def test_a_client_sees_where_its_answer_comes_from(
    server: Replica, owner: psycopg.Connection
) -> None:
    post, body = server.http.post, {"sql": SQL}
    first, second = (post("/v1/query", json=body) for _ in range(2))
    assert (first.json()["plan"]["cache"], second.json()["plan"]["cache"]) == ("miss", "hit")
    assert first.headers["Cache-Status"].startswith("millrace; fwd=miss; stored; ttl=")
    assert second.headers["Cache-Status"].startswith("millrace; hit; ttl=")
    assert second.json()["age_s"] > 0
    assert second.headers["Age"] == str(int(second.json()["age_s"]))
    assert second.json()["rows"] == [[1, 10], [2, 20]]
    etag = second.headers["ETag"]
    assert first.headers["ETag"] == etag
    # only GET is conditional
    assert post("/v1/query", json=body, headers={"If-None-Match": etag}).status_code == 200
    explained = post("/v1/query/explain", json=body).json()["cache"]
    assert explained["cacheable"]
    assert explained["age_s"] > 0

    owner.execute("INSERT INTO t VALUES (3, 30)")
    now = post("/v1/query", json={**body, "max_staleness_s": 0})
    assert now.headers["Cache-Status"].startswith("millrace; fwd=request; stored")
    assert now.headers["ETag"] != etag
    for directive in ("no-cache", "no-store", "max-age=0"):
        headers = {"Cache-Control": directive}
        assert post("/v1/query", json=body, headers=headers).json()["age_s"] == 0
    other = {"sql": "SELECT 2"}
    refused = post("/v1/query", json=other, headers={"Cache-Control": "only-if-cached"})
    assert (refused.status_code, refused.json()["type"]) == (504, "/problems/nothing-cached")

    moving = post("/v1/query", json={"sql": "SELECT now()"})
    assert moving.json()["plan"]["cache"] == "bypass"
    assert moving.headers["Cache-Status"].startswith('millrace; fwd=bypass; detail="')


def test_a_get_is_answered_with_304_when_nothing_has_changed(
    server: Replica, owner: psycopg.Connection
) -> None:
    get = server.http.get
    address = {"sql": "SELECT n FROM t WHERE id = $1", "params": '["1"]'}
    first = get("/v1/query", params=address)
    assert first.json()["rows"] == [[10]]
    assert first.headers["Cache-Control"] == "private, max-age=30"
    headers = {"If-None-Match": first.headers["ETag"]}
    again = get("/v1/query", params=address, headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    as_text = get("/v1/query", params={**address, "numbers": "string"}, headers=headers)
    assert as_text.status_code == 200
    owner.execute("UPDATE t SET n = 11")
    changed = get("/v1/query", params=address, headers={**headers, "Cache-Control": "no-cache"})
    assert changed.json()["rows"] == [[11]]
    moving = get("/v1/query", params={"sql": "SELECT now()"})
    assert moving.headers["Cache-Control"] == "private, no-cache"
    for wrong in ({}, {"sql": "SELECT 1", "params": "x"}, {"sql": "SELECT 1", "rows": "5"}):
        assert get("/v1/query", params=wrong).status_code == 422


def test_an_operator_sees_the_cache_and_empties_it(server: Replica) -> None:
    body = {"sql": SQL}
    for _ in range(3):
        server.http.post("/v1/query", json=body)
    shown = server.http.get("/v1/cache").json()
    assert (shown["mode"], shown["entries"], shown["hits"], shown["misses"]) == ("redis", 1, 2, 1)
    assert shown["bytes"] > 0
    answer = server.http.post("/v1/cache/invalidate", json={"tables": ["t"]})
    assert answer.json() == {"redis": True, "database": True}
    # unless it has been computed anew in the background already, it is now
    anew = server.http.post("/v1/query", json=body).json()
    assert anew["age_s"] < 5
    assert server.http.post("/v1/cache/invalidate", json={"tables": None}).status_code == 200
    assert "millrace_app_cache_answers_total" in server.http.get("/metrics").text

"""The operator's address: what it tells, what it changes, what it refuses."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.lb.conftest import Connection, Running


def test_the_strategy_is_read_and_set(running: Running) -> None:
    balancer = running.start()
    assert running.admin("GET", "/lb/strategy") == (200, {"strategy": "least_connections"})
    answer = running.admin("PUT", "/lb/strategy", {"strategy": "round_robin"})
    assert answer == (200, {"strategy": "round_robin"})
    assert balancer.proxy.backends.strategy == "round_robin"


@pytest.mark.parametrize(("wish", "state"), [("drain", "draining"), ("maintenance", "maintenance")])
def test_a_backend_is_taken_out_and_back(running: Running, wish: str, state: str) -> None:
    running.start(2)
    out = running.backends[0]
    path = f"/lb/backends/127.0.0.1:{out.port}"
    assert running.admin("PUT", path, {"state": wish})[1]["state"] == state
    with running.connect() as client:
        for _ in range(10):
            assert client.request()[0] == 200
        assert out.received == []
        assert running.admin("PUT", path, {"state": "ready"})[1]["state"] == "ready"
        for _ in range(10):
            assert client.request()[0] == 200
        assert out.received


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/lb/strategy", {"strategy": "random"}, 422),
        ("PUT", "/lb/strategy", {"strategy": "round_robin", "x": 1}, 422),
        ("PUT", "/lb/strategy", None, 422),
        ("DELETE", "/lb/strategy", None, 405),
        ("PUT", "/lb/backends/nobody:1", {"state": "drain"}, 404),
        ("GET", "/lb/nothing", None, 404),
        ("POST", "/lb/status", None, 405),
    ],
)
def test_bad_input_is_a_problem(
    running: Running, method: str, path: str, body: object, status: int
) -> None:
    running.start()
    code, document = running.admin(method, path, body)
    assert (code, document["status"]) == (status, status)
    assert document["detail"]


def test_malformed_bytes_are_refused_and_the_connection_closed(running: Running) -> None:
    running.start()
    with Connection(running.admin_address) as connection:
        connection.send("GET /health HTTP/1.1\r\n\r\n")
        assert connection.response()[0] == 400
        assert connection.rest() == b""


def test_status_and_metrics_agree_with_what_happened(running: Running) -> None:
    running.start(2, rate_limit="4/minute")
    with running.connect() as client:
        for _ in range(6):
            client.request("/v1/query", "POST", b"{}")
        _, document = running.admin("GET", "/lb/status")
        assert document["connections"]["open"] == 1
    assert sum(backend["requests"] for backend in document["backends"]) == 4
    assert document["limiter"]["limited"] == 2
    assert running.admin("GET", "/health") == (200, {"status": "ok", "backends_ready": 2})
    status, text = running.admin("GET", "/metrics")
    assert status == 200
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    ids = [backend["id"] for backend in document["backends"]]
    assert sum(samples["millrace_lb_requests_total", one, "2xx"] for one in ids) == 4
    assert samples["millrace_lb_requests_total", "4xx", "balancer"] == 2
    assert samples["millrace_lb_rate_limited_total", "default"] == 2
    assert samples["millrace_lb_request_duration_seconds_count",] == 6
    assert samples["millrace_lb_backend_state", ids[0], "ready"] == 1
    assert samples["millrace_lb_backend_weight", ids[0]] == 1
    assert samples["millrace_lb_requests_unserved_total", "full"] == 0
    assert samples["millrace_lb_panicking",] == 0


def test_with_a_token_all_but_health_asks_for_it(running: Running) -> None:
    running.start(admin_token="of-the-operator")

    def status(path: str, authorization: str = "") -> tuple[int, bytes]:
        with Connection(running.admin_address) as connection:
            fields = f"Authorization: {authorization}\r\n" if authorization else ""
            code, answered, _ = connection.request(path, fields=fields)
            return code, answered.get(b"www-authenticate", b"")

    assert status("/health")[0] == 200
    for path in ("/lb/status", "/metrics", "/lb/strategy", "/lb/requests/1", "/lb/nothing"):
        assert status(path) == (401, b"Bearer")
        assert status(path, "Bearer of-somebody")[0] == 401
        assert status(path, "Basic of-the-operator")[0] == 401
    assert status("/lb/status", "Bearer of-the-operator")[0] == 200


def test_a_backend_is_weighed_and_its_state_stays(running: Running) -> None:
    running.start(2)
    path = f"/lb/backends/127.0.0.1:{running.backends[0].port}"
    running.admin("PUT", path, {"state": "drain"})
    answer = running.admin("PUT", path, {"weight": 7})
    assert (answer[1]["state"], answer[1]["weight"]) == ("draining", 7)
    for wrong in ({}, {"weight": 0}, {"weight": "much"}, {"state": "asleep"}):
        assert running.admin("PUT", path, wrong)[0] == 422


def test_what_became_of_a_request_is_explained_by_its_id(running: Running) -> None:
    running.start(2, rate_limit="4/minute")
    with running.connect() as client:
        client.request("/v1/query?q=1", "POST", b"{}", "X-Request-ID: mine\r\n")
    _, document = running.admin("GET", "/lb/requests/mine")
    (request,) = document["requests"]
    assert (request["method"], request["path"], request["status"]) == ("POST", "/v1/query", 200)
    assert request["backend"] in {f"127.0.0.1:{backend.port}" for backend in running.backends}
    assert request["backend"] in request["candidates"]
    assert (request["failed_at"], request["retries"]) == ([], 0)
    assert "r=3" in request["limiter"]["RateLimit"]
    assert 0 < request["timings_ms"]["first_byte"] <= request["timings_ms"]["total"]
    assert running.admin("GET", "/lb/requests/unknown")[0] == 404


def test_requests_on_one_connection_are_answered_in_order(running: Running) -> None:
    running.start()
    with Connection(running.admin_address) as connection:
        connection.send(
            "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
            "GET /lb/nothing HTTP/1.1\r\nHost: a\r\n\r\n"
            "GET /lb/strategy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert [connection.response()[0] for _ in range(3)] == [200, 404, 200]
        assert connection.rest() == b""

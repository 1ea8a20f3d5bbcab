"""Replicas that refuse since they have too much to do."""

import json

from tests.integration.lb.conftest import OK, Running, until, whole_request_then

REFUSED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nRetry-After: 1\r\n"
    b"X-Millrace-Overloaded: query\r\n\r\n{}"
)
POST = "POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"


def test_what_one_refuses_unread_another_may_take_whatever_the_method(running: Running) -> None:
    balancer = running.start(2)
    running.backends[0].answer = whole_request_then(REFUSED)
    running.backends[1].answer = whole_request_then(OK)
    with running.connect() as client:
        for _ in range(6):
            client.send(POST)
            assert client.response()[0] == 200
    assert balancer.proxy.counters.retries["overloaded"] >= 2
    assert b"X-Millrace-Repeated" not in b"".join(running.backends[1].received)
    assert all(backend.state == "ready" for backend in balancer.proxy.backends.by_id.values())


def test_it_is_tried_elsewhere_once_and_only_within_the_budget(running: Running) -> None:
    balancer = running.start(2, retry_budget=0, retry_budget_minimum=0)
    for backend in running.backends:
        backend.answer = whole_request_then(REFUSED)
    with running.connect() as client:
        client.send(POST)
        status, fields, _ = client.response()
    assert (status, fields[b"retry-after"]) == (503, b"1")
    assert b"x-millrace-overloaded" not in fields
    assert balancer.proxy.counters.retries["overloaded"] == 0


def test_when_all_refuse_the_balancer_refuses_most_itself_and_ejects_nobody(
    running: Running,
) -> None:
    balancer = running.start(2)
    for backend in running.backends:
        backend.answer = whole_request_then(REFUSED)
    with running.connect() as client:
        for _ in range(100):
            client.send(POST)
            status, _, body = client.response()
            assert status == 503
            if body != b"{}":
                assert json.loads(body)["type"] == "/problems/overloaded"
        throttled = balancer.proxy.throttle.refused
        assert throttled > 50
        running.backends[0].answer = running.backends[1].answer = whole_request_then(OK)
        client.send("GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response()[0] == 200
    assert balancer.proxy.throttle.refused == throttled
    assert all(backend.state == "ready" for backend in balancer.proxy.backends.by_id.values())


def test_a_check_for_which_there_is_no_time_ejects_nobody(running: Running) -> None:
    balancer = running.start(1, check_fall=1, check_interval_s=0.02)
    (backend,) = balancer.proxy.backends.by_id.values()
    raw = running.backends[0]
    raw.check_fields, raw.ready = b"X-Millrace-Overloaded: health\r\n", False
    until(lambda: backend.check is not None and backend.check.undecided, "a check was refused")
    assert backend.state == "ready"
    raw.check_fields = b""
    until(lambda: backend.state == "ejected", "it is ejected once it says that it is not ready")

"""Replicas that say they are being stopped."""

from structlog.testing import capture_logs

from tests.integration.lb.conftest import Running, until, whole_request_then

LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Millrace-Draining: true\r\n\r\n{}"


def test_what_its_answer_says_ends_its_requests_at_once(running: Running) -> None:
    with capture_logs() as lines:
        balancer = running.start(2, check_interval_s=60)
        running.backends[0].answer = whole_request_then(LAST)
        with running.connect() as client:
            for _ in range(10):
                status, fields, _ = client.request()
                assert status == 200
                assert b"x-millrace-draining" not in fields
    leaving, staying = balancer.proxy.backends.by_id.values()
    assert (leaving.state, staying.state) == ("draining", "ready")
    assert (leaving.ejections, len(running.backends[0].received)) == (0, 1)
    (event,) = [line for line in lines if line.get("_event") == "backend_taken_out"]
    assert event["cause"] == "it says that it is being stopped"


def test_one_check_that_says_so_is_enough_and_passed_ones_bring_it_back(running: Running) -> None:
    balancer = running.start(1, check_fall=1000, check_interval_s=0.02)
    (backend,) = balancer.proxy.backends.by_id.values()
    raw = running.backends[0]
    raw.check_fields, raw.ready = b"X-Millrace-Draining: true\r\n", False
    until(lambda: backend.state == "draining", "one check is enough")
    assert backend.health.reason == "the check was answered 503"
    raw.check_fields, raw.ready = b"", True
    until(lambda: backend.state == "ready", "it is another one by now")

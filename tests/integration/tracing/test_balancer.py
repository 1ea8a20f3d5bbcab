"""The balancer's part of a trace, in front of backends that the tests answer for."""

import re

import pytest

from tests.integration.lb.conftest import OK, Running, until
from tests.integration.tracing.receiver import Receiver

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"traceparent: 00-{TRACE}-{SPAN}-01\r\ntracestate: a=b\r\n"


def told(running: Running, backend: int = 0, request: int = 0) -> list[str]:
    """Return the fields about the trace that a backend was sent."""
    head = bytes(running.backends[backend].received[request]).decode()
    return re.findall(r"(?i)^(?:traceparent|tracestate): [^\r]*", head, re.MULTILINE)


def test_a_retry_is_a_span_of_its_own_linked_to_the_attempt_before(
    running: Running, receiver: Receiver
) -> None:
    running.start(
        2, strategy="round_robin", otlp_endpoint=receiver.endpoint, trace_ratio=1.0
    )  # fmt: skip
    for backend in running.backends:
        backend.answer = lambda number, data: None if number == 0 else OK
    with running.connect() as client:
        client.request()
    until(lambda: len(receiver.spans) == 4, "all spans")
    (request,) = [span for span in receiver.spans if span.name == "lb.request"]
    attempts = [span for span in receiver.spans if span.name == "lb.attempt"]
    assert (request.parent, request.attributes["millrace.retries"]) == ("", 2)
    assert {(span.trace, span.parent) for span in attempts} == {(request.trace, request.id)}
    assert [span.links for span in attempts] == [(), (attempts[0].id,), (attempts[1].id,)]
    assert [span.failed for span in attempts] == [True, True, False]
    sent = {line for backend in (0, 1) for line in told(running, backend)}
    assert {f"traceparent: 00-{span.trace}-{span.id}-01" for span in attempts} >= sent


def test_without_an_endpoint_nothing_is_added(running: Running) -> None:
    running.start()
    with running.connect() as client:
        client.request()
    assert told(running) == []


@pytest.mark.parametrize("clients", ["ignore", "trusted"])
def test_who_is_not_listened_to_gets_a_trace_of_ours(
    running: Running, receiver: Receiver, clients: str
) -> None:
    running.start(otlp_endpoint=receiver.endpoint, trace_ratio=0.0, trace_clients=clients)
    with running.connect() as client:
        client.request(fields=SAMPLED)
    (line,) = told(running)
    assert re.fullmatch(r"traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00", line)
    assert TRACE not in line


def test_a_trusted_proxy_is_listened_to(running: Running, receiver: Receiver) -> None:
    running.start(
        otlp_endpoint=receiver.endpoint, trace_ratio=0.0, trace_clients="trusted",
        trusted_proxies="127.0.0.1",
    )  # fmt: skip
    with running.connect() as client:
        client.request(fields=SAMPLED)
    assert receiver.await_spans("lb.request")["lb.request"].trace == TRACE
    assert told(running)[1] == "tracestate: a=b"


@pytest.mark.parametrize(
    "parent",
    [
        f"00-{TRACE}-{SPAN}", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01", "", "x" * 500,
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_taken_for_none(
    running: Running, receiver: Receiver, parent: str
) -> None:
    running.start(otlp_endpoint=receiver.endpoint, trace_ratio=0.0)
    with running.connect() as client:
        client.request(fields=f"traceparent: {parent}\r\ntracestate: a=b\r\n")
    (line,) = told(running)
    assert TRACE not in line
    assert line.endswith("-00")


def test_a_dead_receiver_costs_spans_and_nothing_else(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    balancer = running.start(otlp_endpoint="http://127.0.0.1:1", trace_ratio=1.0, trace_queue=4)
    with running.connect() as client:
        for _ in range(20):
            assert client.request()[0] == 200
    tracing = balancer.proxy.tracing
    assert tracing is not None
    until(lambda: tracing.spans == {"exported": 0, "dropped": 40}, "all are counted")
    text = running.admin("GET", "/metrics")[1]
    assert 'millrace_lb_trace_spans_total{outcome="dropped"} 40.0' in str(text)

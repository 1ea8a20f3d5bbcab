"""Spans: what they cost where nothing is traced, how they nest, and where they go."""

import time
from collections.abc import Callable, Iterator

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from telemetry.carrier import Continuations, outgoing
from telemetry.spans import NOTHING, Span, aside, commented, current, span
from telemetry.trace_context import TraceContext, parse
from telemetry.tracer import Tracer
from tests.unit.telemetry.exporter import Kept

PARENT = TraceContext(0xA, 0xB, sampled=True)


class Traced:
    """A tracer, and what came of its spans."""

    def __init__(self, most_waiting: int = 100, ratio: float = 1.0) -> None:
        self.kept = Kept()
        self.counts = {"exported": 0, "dropped": 0}
        self.told: list[str | None] = []
        self.tracer = Tracer(
            self.kept, "test", ratio=ratio, most_waiting=most_waiting, counted=self._count,
            told=self.told.append, random=lambda: 0.5,
        )  # fmt: skip

    def _count(self, outcome: str, spans: int) -> None:
        self.counts[outcome] += spans

    def spans(self) -> dict[str, ReadableSpan]:
        """End, and return all spans by name."""
        self.tracer.stop()
        return {one.name: one for one in self.kept.spans}


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is sent soon."""
    monkeypatch.setattr("telemetry.pipeline._PAUSE_MS", 20)


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced()
    yield made
    made.tracer.stop()


def test_where_nothing_is_traced_there_is_no_span_and_no_comment() -> None:
    assert span("a") is NOTHING
    assert aside("a") is NOTHING
    with span("a") as one:
        one.set({"b": 1})
        assert current() is None
    assert commented("SELECT 1") == "SELECT 1"


def test_spans_lie_within_the_current_one_and_aside_holds_none(traced: Traced) -> None:
    recorded = traced.tracer.begin(None, "request")
    assert recorded is not None
    with Span(recorded):
        with aside("send"), span("plan"), span("inner"):
            text = commented("SELECT 1 --")
        with pytest.raises(ZeroDivisionError), span("failing"):
            raise ZeroDivisionError("a secret")
        assert current() is recorded
    assert current() is None
    found = traced.spans()
    parents = {
        name: next((n for n, o in found.items() if one.parent and _id(o) == one.parent.span_id), "")
        for name, one in found.items()
    }
    assert parents == {
        "request": "", "send": "request", "plan": "request", "inner": "plan", "failing": "request",
    }  # fmt: skip
    assert text == f"SELECT 1 --\n/*traceparent='{_traceparent(found['inner'])}'*/"
    failing = found["failing"]
    assert (failing.status.is_ok, failing.attributes) == (
        False,
        {"error.type": "ZeroDivisionError"},
    )
    assert failing.events == ()


def _id(one: ReadableSpan) -> int:
    assert one.context is not None
    span_id: int = one.context.span_id
    return span_id


def _traceparent(one: ReadableSpan) -> str:
    assert one.context is not None
    return f"00-{one.context.trace_id:032x}-{one.context.span_id:016x}-01"


def test_the_sender_decides_and_else_the_ratio() -> None:
    never, always = Traced(ratio=0.5), Traced(ratio=0.51)
    assert never.tracer.begin(None, "a") is None
    assert never.tracer.begin(PARENT, "a") is not None
    assert always.tracer.begin(None, "a") is not None
    assert always.tracer.begin(TraceContext(1, 2, sampled=False), "a") is None
    never.tracer.stop()
    always.tracer.stop()


def test_work_goes_on_under_the_ids_that_it_was_sent_with(traced: Traced) -> None:
    recorded = traced.tracer.begin(None, "request")
    assert recorded is not None
    ids = {"request_id": "r", "query_id": "q", "thread": "no id"}
    with structlog.contextvars.bound_contextvars(**ids), Span(recorded):
        headers = outgoing()
    assert headers == {"request_id": "r", "query_id": "q", "traceparent": recorded.traceparent}
    with Continuations(traced.tracer).of(headers, "task", what="t", attempt=2, job_id="j"):
        assert structlog.contextvars.get_contextvars() == {
            "request_id": "r", "query_id": "q", "job_id": "j",
        }  # fmt: skip
        task = current()
        assert task is not None
        assert task.trace_id == recorded.trace_id
    assert structlog.contextvars.get_contextvars() == {}
    assert current() is None


@pytest.mark.parametrize(
    "headers", [{}, {"traceparent": "x"}, {"traceparent": f"00-{1:032x}-{1:016x}-00"}]
)
def test_work_of_a_request_that_is_not_traced_is_not_either(
    traced: Traced, headers: dict[str, str]
) -> None:
    with Continuations(traced.tracer).of(headers, "task") as none:
        assert none is NOTHING
    with Continuations().of({"traceparent": f"00-{1:032x}-{1:016x}-01"}, "task") as none:
        assert none is NOTHING


def test_a_retry_is_linked_to_the_attempt_before_made_elsewhere() -> None:
    first, second = Traced(), Traced()
    first.tracer.go_on(PARENT, "task", what="job/1", attempt=1).end(None)
    second.tracer.go_on(PARENT, "task", what="job/1", attempt=2).end(None)
    one, two = first.spans()["task"], second.spans()["task"]
    assert one.links == ()
    assert [link.context.span_id for link in two.links] == [_id(one)]
    assert one.parent is not None
    assert (one.parent.span_id, one.context and one.context.trace_id) == (0xB, 0xA)


def test_a_receiver_that_stalls_costs_spans_and_no_time() -> None:
    traced = Traced(most_waiting=3)
    traced.kept.open.clear()
    for _ in range(3):
        traced.tracer.go_on(PARENT, "sent").end(None)
    assert traced.kept.busy.wait(30)  # these three are on their way, or the first of them
    for _ in range(10):
        traced.tracer.go_on(PARENT, "late").end(None)
    traced.kept.open.set()
    until(lambda: sum(traced.counts.values()) == 13)
    assert 4 <= traced.counts["exported"] <= 6
    traced.tracer.stop()
    assert traced.told == []


def test_the_reason_why_spans_cannot_be_sent_is_told_once(traced: Traced) -> None:
    traced.kept.result = SpanExportResult.FAILURE
    for number in (1, 2):
        traced.tracer.go_on(PARENT, "lost").end(None)
        until(lambda number=number: traced.counts["dropped"] == number)  # type: ignore[misc]
    traced.kept.result = SpanExportResult.SUCCESS
    traced.tracer.go_on(PARENT, "sent").end(None)
    until(lambda: traced.told == ["no reason was given", None])
    assert traced.counts["exported"] == 1


def test_what_a_span_is_told_to_others_as_is_what_they_read(traced: Traced) -> None:
    recorded = traced.tracer.begin(TraceContext(0xA, 0xB, sampled=True, state="a=b"), "request")
    assert recorded is not None
    found = parse(recorded.traceparent, recorded.tracestate)
    assert found is not None
    assert (found.trace_id, found.sampled, found.state) == (0xA, True, "a=b")
    recorded.end(None)
    assert found.span_id == _id(traced.spans()["request"])

"""What an operator is told of one request."""

from lb.admin.explanation import explanation
from lb.backend.backend import Backend
from lb.records import Record
from lb.wire.request_head import vet


def test_it_tells_the_way_of_a_request_without_its_query_string() -> None:
    first, second = (Backend(host, 1, lambda _: None, weight=1, max_idle=1) for host in "ab")
    record = Record(
        request_id=b"mine", client="::1", fields=b"RateLimit: r=3\r\n",
        head=vet(b"GET /v1/x?secret HTTP/1.1\r\nHost: h\r\n\r\n"),
        candidates=(first, second), tried=(first,), backend=second, status=200, sent=5,
        started=10.0, answered=10.25, ended=10.5, retries=1, trace_id="",
    )  # fmt: skip
    assert explanation(record, 12.5) == {
        "method": "GET", "path": "/v1/x", "client": "::1", "status": 200, "bytes": 5,
        "candidates": ["a:1", "b:1"], "backend": "b:1", "failed_at": ["a:1"], "retries": 1,
        "limiter": {"RateLimit": "r=3"}, "timings_ms": {"first_byte": 250.0, "total": 500.0},
        "age_s": 2.0,
    }  # fmt: skip
    unanswered = record._replace(answered=0.0, backend=None, status=502)
    document = explanation(unanswered, 12.5)
    assert (document["backend"], document["timings_ms"]["first_byte"]) == (None, None)
    assert explanation(record._replace(trace_id="4bf9"), 12.5)["trace_id"] == "4bf9"

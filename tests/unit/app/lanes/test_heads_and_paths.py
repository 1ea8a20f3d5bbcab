"""What a look at a head tells: the lane, the time, and where the next request begins."""

import math

import pytest

from app.lanes.head import look
from app.lanes.lane import LaneName
from app.lanes.paths import LanePaths
from app.main import ENDPOINTS

PATHS = LanePaths(ENDPOINTS)
BODY = b"POST /v1/hash HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize(
    ("method", "target", "accept", "lane"),
    [
        ("GET", "/health/ready", None, "health"),
        ("HEAD", "/health/live", None, "health"),
        ("GET", "/v1/status", None, "status"),
        ("GET", "/metrics", None, "status"),
        ("GET", "/nothing", None, "status"),
        ("POST", "/v1/hash", None, "hash"),
        ("GET", "/v1/digests/md5/d41d", None, "hash"),
        ("POST", "/v1/query", "application/json", "query"),
        ("POST", "http://api.example/v1/query", "*/*", "query"),
        ("POST", "/v1/%71uery", None, "query"),
        ("GET", "/v1/query?sql=SELECT%201", None, "query"),
        ("POST", "/v1/query", "text/csv", "bulk"),
        ("POST", "/v1/query", "application/json, text/csv;q=0.5", "query"),
        ("GET", "/v1/query?sql=SELECT+1&format=ndjson", None, "bulk"),
        ("POST", "/v1/query?format=nonsense", None, "query"),
        ("DELETE", "/v1/queries/abc", None, "status"),
        ("GET", "/v1/queries/abc/events", None, "bulk"),
        ("POST", "/v1/hash/stream", None, "bulk"),
        ("POST", "/v1/jobs", None, "bulk"),
        ("PATCH", "/v1/uploads/0123", None, "bulk"),
    ],
)
def test_each_request_has_a_lane(
    method: str, target: str, accept: str | None, lane: LaneName
) -> None:
    assert PATHS.lane_of(method, target, accept) == lane


def test_only_health_is_in_the_lane_of_health() -> None:
    assert {each.path.split("/")[1] for each in ENDPOINTS if each.lane == "health"} == {"health"}


def test_a_head_tells_what_decides() -> None:
    head = look(
        b"GET /v1/query?sql=x HTTP/1.1\r\nX-Request-ID: abc\r\naccept:  text/csv \r\n"
        b"X-Millrace-Timeout-S: 1.500\r\n\r\n"
    )
    assert head is not None
    assert (head.method, head.target, head.accept) == ("GET", "/v1/query?sql=x", "text/csv")
    assert (head.request_id, head.budget_s) == ("abc", 1.5)


@pytest.mark.parametrize("data", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n", b"NO\r\n\r\n"])
def test_what_is_no_whole_head_tells_nothing(data: bytes) -> None:
    assert look(data) is None


@pytest.mark.parametrize("told", [b"-1", b"soon", b"", b"nan"])
def test_a_time_that_makes_no_sense_is_none(told: bytes) -> None:
    head = look(b"GET / HTTP/1.1\r\nX-Millrace-Timeout-S: " + told + b"\r\n\r\n")
    assert head is not None
    assert head.budget_s == math.inf


def test_the_next_request_begins_after_the_body() -> None:
    head = look(BODY)
    assert head is not None
    assert head.length == len(BODY)


@pytest.mark.parametrize(
    "doubt",
    [
        b"Content-Length: 4", b"Transfer-Encoding: chunked", b"Connection: close",
        b"Expect: 100-continue",
    ],
)  # fmt: skip
def test_where_the_next_request_begins_is_left_open_when_in_doubt(doubt: bytes) -> None:
    head = look(BODY.replace(b"Host: a", doubt))
    assert head is not None
    assert head.length is None

"""Bodies and answers of any size: passed on as fast as they are taken, in constant memory."""

import threading

import psutil
import pytest

from tests.integration.lb.conftest import OK, RawBackend, Running, until, whole_request_then

PIECE = bytes(65536)
HEAD = "POST {} HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)


def forgetful(total: int) -> RawBackend:
    """Return a backend that counts what comes, keeps nothing, and answers at the end."""
    backend = RawBackend()
    seen: dict[int, int] = {}

    def answer(number: int, data: bytes) -> bytes:
        seen[number] = seen.get(number, 0) + len(data)
        backend.received[number].clear()
        return OK if seen[number] >= total else b""

    backend.answer = answer
    return backend


def start_with(running: Running, backend: RawBackend, **settings: object) -> None:
    running.do(backend.start())
    running.backends.append(backend)
    running.start(0, backends=f"127.0.0.1:{backend.port}", **settings)
    balancer = running.balancer
    assert balancer is not None
    until(lambda: balancer.proxy.backends.ready, "the backend is ready")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_far_above_the_limit_passes_in_constant_memory(
    running: Running, framing: str
) -> None:
    count = 4096  # 256 MiB
    total = count * len(PIECE)
    start_with(running, forgetful(total), max_body_bytes=1000)
    field = f"Content-Length: {total}" if framing == "length" else "Transfer-Encoding: chunked"
    sent = PIECE if framing == "length" else CHUNK
    process = psutil.Process()
    with running.connect() as client:
        client.send(HEAD.format("/v1/uploads/1", field))
        client.send(sent * 64)
        before = most = process.memory_info().rss
        for number in range(count - 64):
            client.send(sent)
            if number % 64 == 0:
                most = max(most, process.memory_info().rss)
        client.send(b"" if framing == "length" else b"0\r\n\r\n")
        assert client.response()[0] == 200
    assert most - before < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "path", ["/v1/query", "/v1/uploads/../query", "/v1/%75ploads", "//v1/uploads"]
)
@pytest.mark.parametrize("framing", ["Content-Length: 1001", "Transfer-Encoding: chunked"])
def test_other_paths_keep_their_limit(running: Running, path: str, framing: str) -> None:
    running.start(max_body_bytes=1000)
    with running.connect() as client:
        client.send(HEAD.format(path, framing))
        client.send(b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n")
        assert client.response()[0] == 413


def test_a_stream_may_take_longer_than_other_requests(running: Running) -> None:
    running.start(request_timeout_s=0.05, stream_min_bytes_per_s=0)
    balancer = running.balancer
    assert balancer is not None
    running.backends[0].answer = lambda number, data: b"" if b"last" not in data else OK
    with running.connect() as client:
        client.send(HEAD.format("/v1/jobs", "Content-Length: 100004") + "x" * 100_000)
        swept = balancer.proxy.now
        until(lambda: balancer.proxy.now > swept + 0.5, "time passes")
        client.send("last")
        assert client.response()[0] == 200
    assert b"X-Millrace-Timeout-S" not in bytes(running.backends[0].received[0])


def test_an_answer_that_streams_may_take_longer_too(running: Running) -> None:
    running.start(request_timeout_s=0.05)
    balancer = running.balancer
    assert balancer is not None
    running.backends[0].answer = whole_request_then(OK[:-1])
    with running.connect() as client:
        client.send("GET /v1/jobs/1/result HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.line(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        swept = balancer.proxy.now
        until(lambda: balancer.proxy.now > swept + 0.5, "time passes")
        running.loop.call_soon_threadsafe(running.backends[0].answer_all, b"k")
        assert client.take(2) == b"ok"


def test_a_stream_that_falls_silent_ends(running: Running) -> None:
    running.start(request_timeout_s=0.05, body_idle_timeout_s=0.3, stream_min_bytes_per_s=0)
    with running.connect() as client:
        client.send(HEAD.format("/v1/uploads", "Content-Length: 200000") + "x" * 100_000)
        status, _, body = client.response()
        assert status == 408
        assert b"Nothing of the body came" in body


def test_a_stream_that_comes_in_drops_ends(running: Running) -> None:
    running.start(request_timeout_s=0.5, stream_min_bytes_per_s=100_000)
    ended = threading.Event()
    with running.connect() as client:
        client.send(HEAD.format("/v1/uploads", "Content-Length: 900000") + "x" * 100_000)

        def drip() -> None:
            while not ended.wait(0.02):
                try:
                    client.send("x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        status, _, body = client.response()
        ended.set()
        dripping.join()
    assert status == 408
    assert b"MILLRACE_LB_STREAM_MIN_BYTES_PER_S" in body

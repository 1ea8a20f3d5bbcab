"""Several balancers, one count in a real Valkey, which dies and comes back."""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
import structlog
import uvloop

from cli.embedded.place import place_for
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from lb.limiter.limiter import Limiter, Refusal, Verdict
from lb.limiter.wiring import make_limiter
from lb.settings import BalancerSettings
from tests.integration.lb.conftest import Running

DEADLINE_S = 60.0


async def condition(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def balancers(number: int, url: str, **settings: object) -> AsyncIterator[list[Limiter]]:
    """Limiters of so many balancers, each swept as in a balancer, all aware of all."""
    made = []
    given = {"rate_limit_redis_timeout_s": 60.0} | settings
    for _ in range(number):
        limiter = make_limiter(
            BalancerSettings(backends="127.0.0.1:1", redis_url=url, **given),  # type: ignore[arg-type]
            clock=time.monotonic,
            log=structlog.get_logger(),
        )
        assert limiter is not None
        await limiter.start()
        made.append(limiter)

    async def sweep() -> None:
        while True:
            for limiter in made:
                limiter.sweep(time.monotonic())
            await asyncio.sleep(0.02)

    sweeping = asyncio.get_running_loop().create_task(sweep())
    try:
        yield made
    finally:
        sweeping.cancel()
        for limiter in made:
            await limiter.stop()
        await asyncio.sleep(0.01)


def known(limiters: list[Limiter]) -> bool:
    """Each balancer knows of each other."""
    return all(
        limiter.shared is not None
        and limiter.shared.mode == "shared"
        and limiter.shared.balancers == len(limiters)
        for limiter in limiters
    )


def modes(limiters: list[Limiter]) -> set[str]:
    return {limiter.status()["mode"] for limiter in limiters}


async def ask(limiter: Limiter, client: str) -> Verdict:
    told: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    verdict = limiter.check(client, b"/v1/query", None, time.monotonic(), told.set_result)
    return await told if verdict is None else verdict


async def passed(limiters: list[Limiter], client: str, number: int = 300) -> int:
    """Return how many of `number` requests pass, spread by chance and many at once."""
    verdicts = await asyncio.gather(
        *(ask(random.choice(limiters), client) for _ in range(number))
    )  # fmt: skip
    return sum(isinstance(verdict, bytes) for verdict in verdicts)


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, str]]:
    """A running Valkey for one test, which may kill and start it, and its URL."""
    place = place_for(Path(tempfile.mkdtemp(prefix="mr-")))
    valkey = EmbeddedValkey(place, settings={"appendonly": "no"})
    log = tmp_path_factory.mktemp("valkey") / "log"
    with RunningServer(valkey.program(), log) as server:
        yield server, valkey.url()
    place.remove()


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_four_balancers_let_exactly_the_limit_pass(redis_url: str, algorithm: str) -> None:
    async def run() -> None:
        # an hour: of a minute so much may go by meanwhile that one more may pass
        async with balancers(
            4, redis_url, rate_limit="100/hour", rate_limit_algorithm=algorithm
        ) as limiters:
            results = await asyncio.gather(*(passed(limiters, f"192.0.2.{i}") for i in range(3)))
            assert results == [100, 100, 100]
            assert sum(limiter.status()["shared_checks"] for limiter in limiters) == 900

    uvloop.run(run())


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_remaining_counts_down_and_reset_agrees(redis_url: str, algorithm: str) -> None:
    async def run() -> None:
        async with balancers(
            2, redis_url, rate_limit="5/minute", rate_limit_algorithm=algorithm
        ) as limiters:
            verdicts = [await ask(limiters[i % 2], "a") for i in range(7)]
        told = [v.fields if isinstance(v, Refusal) else v for v in verdicts]
        left = [int(fields.partition(b";r=")[2].partition(b";")[0]) for fields in told]
        resets = [int(fields.rpartition(b";t=")[2]) for fields in told]
        assert left == [4, 3, 2, 1, 0, 0, 0]
        assert [isinstance(v, Refusal) for v in verdicts] == [False] * 5 + [True] * 2
        # The log's first request came just now; the counter's bucket began at any time.
        assert all(30 < r <= 60 if algorithm == "log" else 0 < r <= 120 for r in resets)

    uvloop.run(run())


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_the_window_slides_by_the_servers_clock(redis_url: str, algorithm: str) -> None:
    async def run() -> None:
        async with balancers(
            1, redis_url, rate_limit="2/second", rate_limit_algorithm=algorithm
        ) as (limiter,):
            began = time.monotonic()
            assert await passed([limiter], "a", 5) == 2
            while isinstance(await ask(limiter, "a"), Refusal):
                assert time.monotonic() < began + DEADLINE_S
                await asyncio.sleep(0.01)
            # The counter's bucket began at any time, and half of what was in it is enough.
            assert time.monotonic() - began > (0.9 if algorithm == "log" else 0.4)

    uvloop.run(run())


def test_each_balancer_enforces_its_part_while_valkey_is_away_and_shares_again(
    mortal: tuple[RunningServer, str],
) -> None:
    server, url = mortal

    async def run() -> None:
        async with balancers(4, url, rate_limit="100/hour") as limiters:
            await condition(lambda: known(limiters), "all are counted")
            assert await passed(limiters, "before") == 100
            server.kill()
            await condition(lambda: modes(limiters) == {"fallback"}, "it is away")
            seen = 0
            for limiter in limiters:
                assert await passed([limiter], "while") == 25
                assert limiter.status()["fallback_checks"] >= 300
                # What it had let pass itself before is not given again.
                take = limiter.policies[0].window.take
                held = 99 - max(-1, take("before", time.monotonic(), 100)[0])
                assert await passed([limiter], "before") == max(0, 24 - held)
                seen += min(100, held)
            assert seen == 100
            server.start()
            await condition(lambda: modes(limiters) == {"shared"}, "it is back")
            fallback_checks = [limiter.status()["fallback_checks"] for limiter in limiters]
            assert await passed(limiters, "after") == 100
            assert fallback_checks == [limiter.status()["fallback_checks"] for limiter in limiters]
            # Shares don't grow while the others are still on their way back.
            assert [limiter.status()["balancers"] for limiter in limiters] == [4] * 4

    uvloop.run(run())


def test_a_valkey_that_hangs_delays_a_request_once_and_is_used_again_when_it_goes_on(
    mortal: tuple[RunningServer, str],
) -> None:
    server, url = mortal

    async def run() -> None:
        async with balancers(1, url, rate_limit_redis_timeout_s=0.05) as (limiter,):
            await condition(lambda: modes([limiter]) == {"shared"}, "it is there")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                assert await passed([limiter], "a") == 100
                # The others don't wait: it is known to hang.
                assert limiter.check("a", b"/v1", None, time.monotonic(), _never) is not None
            finally:
                os.kill(server.pid, signal.SIGCONT)
            await condition(lambda: modes([limiter]) == {"shared"}, "it goes on")
            assert isinstance(await ask(limiter, "b"), bytes)

    uvloop.run(run())


def test_scripts_that_valkey_has_forgotten_are_loaded_again(redis_url: str) -> None:
    async def run() -> None:
        async with balancers(1, redis_url) as (limiter,):
            assert isinstance(await ask(limiter, "a"), bytes)
            with redis.Redis.from_url(redis_url) as client:
                client.script_flush()
            assert isinstance(await ask(limiter, "a"), bytes)
            before = limiter.status()["shared_checks"]
            assert isinstance(await ask(limiter, "a"), bytes)
            assert limiter.status()["shared_checks"] == before + 1

    uvloop.run(run())


def test_a_balancer_starts_without_valkey_and_takes_what_answers_but_is_none_for_away(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with balancers(1, f"unix://{tmp_path}/nothing") as (limiter,):
            assert limiter.status()["mode"] == "fallback"
            assert await passed([limiter], "a") == 100

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read()
            writer.close()

        other = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = other.sockets[0].getsockname()[1]
        async with balancers(1, f"redis://127.0.0.1:{port}") as (limiter,):
            assert limiter.status()["mode"] == "fallback"
            assert await passed([limiter], "a") == 100
        other.close()
        await other.wait_closed()

    asyncio.run(run())


def test_requests_wait_for_the_shared_verdict_and_bodies_come_whole(
    running: Running, redis_url: str
) -> None:
    running.start(redis_url=redis_url, rate_limit="4/minute", rate_limit_redis_timeout_s=60.0)
    body = b"x" * 2_000_000
    with running.connect() as client:
        statuses = [client.request("/v1/query", "POST", body)[0] for _ in range(2)]
        for _ in range(4):  # pipelined
            client.send("GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = [client.response() for _ in range(4)]
    assert statuses == [200, 200]
    assert [answer[0] for answer in answers] == [200, 200, 429, 429]
    assert [answer[1][b"ratelimit"].split(b";")[1] for answer in answers] == [
        b"r=1", b"r=0", b"r=0", b"r=0",
    ]  # fmt: skip
    assert body in running.backends[0].received[0]
    document = running.admin("GET", "/lb/status")[1]["limiter"]
    assert (document["mode"], document["shared_checks"]) == ("shared", 6)


def _never(verdict: Verdict) -> None:
    raise AssertionError("it is told at once")

"""A light load generator: prepared requests over kept connections, by one event loop."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """A request as bytes, and what the body of its right answer holds."""

    data: bytes
    expected: bytes


@dataclass
class Outcome:
    """What came of many requests: seconds of each, by kind."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def note(self, kind: str, seconds: float) -> None:
        """Add one."""
        self.seconds.setdefault(kind, []).append(seconds)

    def counts(self) -> Counter[str]:
        """Return how many there were of each kind."""
        return Counter({kind: len(taken) for kind, taken in self.seconds.items()})


def post(path: str, body: bytes, expected: bytes) -> Question:
    """Return a request with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return Question(head.encode() + body, expected)


def get(path: str, expected: bytes) -> Question:
    """Return a request without a body."""
    return Question(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode(), expected)


def share(taken: list[float], part: float) -> float:
    """Return a quantile in milliseconds; not a number if there are none."""
    if not taken:
        return float("nan")
    return sorted(taken)[min(len(taken) - 1, int(part * len(taken)))] * 1000


class Connections:
    """Kept connections to one address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, question: Question, outcome: Outcome) -> None:
        """Send a request, and note what came: `right`, `wrong`, a problem's type, or `broken`."""
        began = time.perf_counter()
        try:
            pair = self._idle.pop() if self._idle else await asyncio.open_connection(*self._address)
            kind = await self._exchange(pair, question)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            kind = "broken"
        outcome.note(kind, time.perf_counter() - began)

    async def _exchange(
        self, pair: tuple[asyncio.StreamReader, asyncio.StreamWriter], question: Question
    ) -> str:
        reader, writer = pair
        writer.write(question.data)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(size)
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append(pair)
        if head.startswith(b"http/1.1 200"):
            return "right" if question.expected in body else "wrong"
        return body.partition(b'"type": "/problems/')[2].partition(b'"')[0].decode() or "other"

    def close(self) -> None:
        """Close those that are idle."""
        for _, writer in self._idle:
            writer.close()


async def closed_loop(
    address: Address, questions: Callable[[], Question], clients: int, seconds: float
) -> Outcome:
    """Let so many clients ask one question after the other."""
    outcome, connections = Outcome(), Connections(address)
    end = time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < end:
            await connections.ask(questions(), outcome)

    await asyncio.gather(*(client() for _ in range(clients)))
    connections.close()
    return outcome


async def open_loop(
    address: Address,
    questions: Callable[[], Question],
    rate: float,
    seconds: float,
    patience_s: float,
) -> Outcome:
    """Ask so many questions a second, whatever becomes of those before; wait for all answers.

    Each for `patience_s`: what comes later is noted as `too late`.
    """
    outcome, connections, chance = Outcome(), Connections(address), random.Random(1)
    tasks: set[asyncio.Task[None]] = set()

    async def ask() -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(patience_s):
                await connections.ask(questions(), outcome)
        except TimeoutError:
            outcome.note("too late", time.perf_counter() - began)

    began = due = time.perf_counter()
    while due < began + seconds:
        while due <= time.perf_counter():
            task = asyncio.get_running_loop().create_task(ask())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += chance.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await asyncio.gather(*tasks)
    connections.close()
    return outcome


async def probe(address: Address, question: Question, every_s: float, outcome: Outcome) -> None:
    """Ask one question at a time until cancelled."""
    connections = Connections(address)
    while True:
        await connections.ask(question, outcome)
        await asyncio.sleep(every_s)

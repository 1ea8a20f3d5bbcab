"""One connection to Redis or Valkey that never makes a request wait for long.

All commands of one tick of the loop are one write, and their answers are one line each, so that a
check costs little CPU even when every request needs one.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import cast

from lb.limiter.redis_address import RedisAddress
from lb.limiter.sentinels import master_of

# The first byte tells the kind: + status, - error, : integer, $ what a line of its own length
# holds.  None: no answer came in time, or the connection was lost.
OnReply = Callable[[bytes | None], object]

_CONNECT_TIMEOUT_S = 1.0
_LONGEST_PAUSE_S = 2.0
# A server that is silent for so long gets a new connection.
_GIVE_UP_S = 1.0
_MOST_PENDING = 4096
_LONGEST_LINE = 65536


class _Question:
    """A command whose answer is due."""

    __slots__ = ("deadline", "on_reply")

    def __init__(self, deadline: float, on_reply: OnReply) -> None:
        self.deadline = deadline
        self.on_reply: OnReply | None = on_reply


class RedisLink(asyncio.Protocol):
    """Connects, and connects again: after a loss, with pauses that grow and are spread by chance.

    `scripts` are loaded into each server that is connected to.  `on_change` hears why the link is
    lost, and "" when it is there.  Only commands whose answer is one line, or one short string
    without a line's end, may be sent.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        scripts: Sequence[bytes],
        timeout_s: float,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float],
        chance: Callable[[], float],
        on_change: Callable[[str], object],
    ) -> None:
        self._address = address
        self._scripts = scripts
        self._timeout_s = timeout_s
        self._tls = tls
        self._clock = clock
        self._chance = chance
        self._on_change = on_change
        self._transport: asyncio.Transport | None = None
        self._questions: deque[_Question] = deque()
        self._overdue = 0  # questions at the head that nobody waits for any more
        self._out: list[bytes] = []
        self._rest = b""
        self._in_string = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._pause_s = 0.0
        self._problem: str | None = None  # as told last
        self._stopped = False
        self._ready = asyncio.Event()

    @property
    def is_usable(self) -> bool:
        """Answers can be expected in time."""
        return (
            self._ready.is_set()
            and not self._overdue
            and len(self._questions) < _MOST_PENDING
        )  # fmt: skip

    async def start(self) -> None:
        """Connect; return once that is done, or at the latest after the time for it."""
        self._task = asyncio.get_running_loop().create_task(self._connect())
        try:
            await asyncio.wait_for(self._ready.wait(), _CONNECT_TIMEOUT_S)
        except TimeoutError:
            self._tell(f"{self._address} did not answer within {_CONNECT_TIMEOUT_S:g} s")

    async def stop(self, last: bytes = b"") -> None:
        """Send `last`, if it can be, and close."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            if self._ready.is_set():
                self._transport.write(b"".join(self._out) + last)
            self._transport.close()

    def send(self, command: bytes, on_reply: OnReply) -> None:
        """Send a command with the others of this tick; to be called when `is_usable`.

        `on_reply` is called within the time limit, and not before this tick is over.
        """
        loop = asyncio.get_running_loop()
        if not self._out:
            loop.call_soon(self._flush)
        self._out.append(command)
        # The introduction has more time: nobody waits for it.
        time_s = self._timeout_s if self._ready.is_set() else _GIVE_UP_S
        self._questions.append(_Question(self._clock() + time_s, on_reply))
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_s, self._look_at_overdue)

    def load_scripts(self) -> None:
        """Load the scripts again: the server has forgotten them."""
        for script in self._scripts:
            self.send(encode(b"SCRIPT", b"LOAD", script), _ignore)

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves."""
        self._transport = cast("asyncio.Transport", transport)
        self._rest, self._in_string = b"", False
        address = self._address
        if address.password:
            words = (address.username, address.password)
            self.send(encode(b"AUTH", *(word.encode() for word in words if word)), self._introduced)
        if address.database:
            self.send(encode(b"SELECT", b"%d" % address.database), self._introduced)
        self.load_scripts()
        self.send(encode(b"PING"), self._greeted)

    def data_received(self, data: bytes) -> None:
        """Hand out what has been answered."""
        lines = (self._rest + data).split(b"\r\n")
        self._rest = lines.pop()
        for line in lines:
            if self._in_string:
                self._in_string = False
                self._answer(line)
            elif line[:1] == b"$":
                self._in_string = True
            elif line[:1] in {b"+", b"-", b":"}:
                self._answer(line)
            else:
                self._drop("what answers is no Redis")
                return
        if len(self._rest) > _LONGEST_LINE:
            self._drop("what answers is no Redis")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everybody go on without an answer, and connect again."""
        self._transport = None
        self._ready.clear()
        self._out.clear()
        questions, self._questions = self._questions, deque()
        self._overdue = 0
        if self._stopped:
            return
        self._tell(f"{self._address}: {exc or 'the connection was closed'}")
        for question in questions:
            if question.on_reply is not None:
                question.on_reply(None)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    # ---- inside

    async def _connect(self) -> None:
        loop, address = asyncio.get_running_loop(), self._address
        while True:
            if self._pause_s:
                # Spread, so that a server that comes back isn't met by all balancers at once.
                await asyncio.sleep(self._pause_s * (0.5 + self._chance() / 2))
            self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2 or self._timeout_s)
            try:
                host, port = address.host, address.port
                if address.sentinels:
                    host, port = await master_of(address, self._tls, encode, _CONNECT_TIMEOUT_S)
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    if address.path:
                        await loop.create_unix_connection(lambda: self, address.path)
                    else:
                        await loop.create_connection(lambda: self, host, port, ssl=self._tls)
            except OSError as error:  # TimeoutError is one
                self._tell(f"{address}: {str(error) or 'no connection in time'}")
            else:
                return

    def _introduced(self, reply: bytes | None) -> None:
        if reply is not None and reply[:1] == b"-":
            self._drop(reply[1:].decode("latin-1"))

    def _greeted(self, reply: bytes | None) -> None:
        if reply == b"+PONG":
            self._pause_s = 0.0
            self._ready.set()
            self._tell("")
        elif reply is not None:  # like -LOADING while it reads its data
            self._drop(reply[1:].decode("latin-1"))

    def _answer(self, line: bytes) -> None:
        if not self._questions:
            self._drop("an answer came that nobody asked for")
            return
        question = self._questions.popleft()
        if question.on_reply is None:
            self._overdue -= 1
        else:
            question.on_reply(line)

    def _flush(self) -> None:
        transport = self._transport
        if transport is not None and self._out and not transport.is_closing():
            transport.write(b"".join(self._out))
        self._out.clear()

    def _look_at_overdue(self) -> None:
        """Let those go on without an answer whose time is over; later ones have later times."""
        self._timer = None
        now = self._clock()
        questions = self._questions
        for question in tuple(islice(questions, self._overdue, None)):
            if question.deadline > now:
                break
            on_reply, question.on_reply = question.on_reply, None
            self._overdue += 1
            if on_reply is not None:
                on_reply(None)
        if not questions:
            return
        if questions[0].deadline + _GIVE_UP_S <= now:
            self._drop("no answer came")
            return
        again_s = self._timeout_s
        if self._overdue < len(questions):
            again_s = questions[self._overdue].deadline - now
        self._timer = asyncio.get_running_loop().call_later(again_s, self._look_at_overdue)

    def _drop(self, reason: str) -> None:
        self._tell(f"{self._address}: {reason}")
        if self._transport is not None:
            self._transport.abort()

    def _tell(self, problem: str) -> None:
        """Say it once: a server that is away for a day is one event."""
        if bool(problem) != bool(self._problem) or self._problem is None:
            self._problem = problem
            self._on_change(problem)


def encode(*words: bytes) -> bytes:
    """Return a command as Redis reads it."""
    return b"*%d\r\n%b" % (
        len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    )  # fmt: skip


def _ignore(reply: bytes | None) -> None:
    """Take the answer to what shows by itself whether it worked."""

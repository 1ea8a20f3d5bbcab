"""One direction of a connection: reads, spoils, hands on."""

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cli.faults.rules import Rule

PIECE_BYTES = 65536
LINE_BYTES = 512 * 1024  # under way in one direction; then the sender is made to wait
THROTTLE_TICK_S = 0.05


class Cut(Exception):
    """The connection is to end now, without a goodbye."""


@dataclass(frozen=True)
class Order:
    """A rule, and an event that is set when it is no longer the rule."""

    rule: Rule
    over: asyncio.Event


class Pipe:
    """Hands bytes of `source` on to `target`, as the `order` of the moment wants them.

    `has_hole` tells whether their connection has lost bytes: then nothing passes any more, since
    TCP never delivers what follows a hole; `lose` says that it has.
    """

    def __init__(
        self,
        source: socket.socket,
        target: socket.socket,
        *,
        order: Callable[[], Order],
        has_hole: Callable[[], bool],
        lose: Callable[[], None],
        rng: random.Random,
    ) -> None:
        self.is_finished = False  # the source's end was handed on
        self.is_broken = False  # the target takes nothing any more
        self._source = source
        self._target = target
        self._order = order
        self._has_hole = has_hole
        self._lose = lose
        self._rng = rng
        self._line: deque[tuple[float, Order, bytes]] = deque()
        self._line_bytes = 0
        self._moved = asyncio.Event()
        self._counted: Order | None = None
        self._passed = 0

    async def read(self) -> None:
        """Read until the source ends.  Raises OSError."""
        loop = asyncio.get_running_loop()
        due = 0.0
        data = b"-"
        while data:
            data = await loop.sock_recv(self._source, PIECE_BYTES)
            order = self._order()
            if data and self._is_swallowed(order):
                continue
            rule = order.rule
            late = rule.delay_s + (rule.jitter_s * self._rng.random() if rule.jitter_s else 0.0)
            due = max(due, loop.time() + late) if late else 0.0
            self._line.append((due, order, data))
            self._line_bytes += len(data)
            self._moved.set()
            while self._line_bytes >= LINE_BYTES:
                self._moved.clear()
                await self._moved.wait()

    async def write(self, other: "Pipe") -> None:
        """Hand on what was read, to its end.  Raises Cut; `other` is the opposite direction.

        Who writes to a peer that has closed learns it by a reset, after what that peer had still
        to say.
        """
        loop = asyncio.get_running_loop()
        while True:
            while not self._line:
                self._moved.clear()
                await self._moved.wait()
            due, order, data = self._line[0]
            if due:
                await _pause(order, due - loop.time())
            if data:
                await self._hand_on(data)
            elif not self._is_swallowed(self._order()):
                self._end()
            self._line.popleft()
            self._line_bytes -= len(data)
            self._moved.set()
            self.is_finished = not data
            if (self.is_broken and other.is_finished) or (self.is_finished and other.is_broken):
                raise Cut
            if self.is_finished:
                return

    def _end(self) -> None:
        try:
            self._target.shutdown(socket.SHUT_WR)
        except OSError:
            self.is_broken = True

    async def _hand_on(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest and not self.is_broken:
            order = self._order()
            if self._is_swallowed(order):
                return
            rule = order.rule
            size = self._size(order, len(rest))
            piece = bytes(rest[:size])
            rest = rest[size:]
            if rule.corrupt_share:
                piece = self._corrupted(piece, rule.corrupt_share)
            try:
                await loop.sock_sendall(self._target, piece)
            except OSError:
                self.is_broken = True
            if rule.bytes_per_s is not None:
                await _pause(order, size / rule.bytes_per_s)

    def _size(self, order: Order, size: int) -> int:
        """Return how many bytes may go at once.  Raises Cut when it is none any more."""
        rule = order.rule
        if rule.bytes_per_s is not None:
            size = min(size, max(1, int(rule.bytes_per_s * THROTTLE_TICK_S)))
        if rule.cut_after_bytes is not None:
            if self._counted is not order:
                self._counted, self._passed = order, 0
            size = min(size, rule.cut_after_bytes - self._passed)
            if size == 0:
                raise Cut
            self._passed += size
        return size

    def _is_swallowed(self, order: Order) -> bool:
        if order.rule.swallow:
            self._lose()
        return self._has_hole()

    def _corrupted(self, data: bytes, share: float) -> bytes:
        changed = bytearray(data)
        for place in range(len(changed)):
            if self._rng.random() < share:
                changed[place] ^= self._rng.randrange(1, 256)
        return bytes(changed)


async def _pause(order: Order, seconds: float) -> None:
    """Wait; no longer than the order lasts."""
    if seconds > 0:
        try:
            async with asyncio.timeout(seconds):
                await order.over.wait()
        except TimeoutError:
            pass

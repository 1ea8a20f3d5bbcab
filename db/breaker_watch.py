"""Has a process's breakers follow the operators' order, and tells what state they are in."""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from db.breaker import Breaker, Mode
from db.breaker_board import BoardUnavailable, BreakerBoard, Order

LOOK_S = 1.0

OnOrder = Callable[[Mode, Mode, str], None]

_log = structlog.stdlib.get_logger("db.breaker")


class BreakerWatch:
    """Looks at the board each second, in a thread of its own: a hanging Redis holds nothing else.

    While Redis is away, the order that was known last holds, until its time is over.
    """

    def __init__(
        self,
        board: BreakerBoard,
        breakers: Mapping[str, Breaker],
        *,
        look_s: float = LOOK_S,
        clock: Callable[[], float] = time.monotonic,
        on_order: OnOrder = lambda _mode, _before, _reason: None,
    ) -> None:
        """`on_order` hears of a new order: what is asked for, what was before, and why."""
        self._board = board
        self._breakers = dict(breakers)
        self._look_s = look_s
        self._clock = clock
        self._on_order = on_order
        self._order = Order()
        self._read_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="breaker-watch", daemon=True)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and leave the board."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(self._look_s)

    def look(self) -> None:
        """Look once; errors of Redis are not the caller's."""
        mode = self._mode()
        try:
            self._order = self._board.exchange(
                mode, {name: breaker.state for name, breaker in self._breakers.items()}
            )
            self._read_at = self._clock()
        except BoardUnavailable as error:
            _log.debug("breakers follow the last order known", error=str(error))
        now = self._mode()
        if now != mode:
            self._on_order(now, mode, self._order.reason)
        for breaker in self._breakers.values():
            breaker.command(now, self._left_s(), self._order.reason)

    def _mode(self) -> Mode:
        left_s = self._left_s()
        return "auto" if left_s is not None and left_s <= 0 else self._order.mode

    def _left_s(self) -> float | None:
        if self._order.left_s is None:
            return None
        return self._order.left_s - (self._clock() - self._read_at)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a board that somebody scribbled on; and it goes on
                _log.exception("no order read")
            self._stopped.wait(self._look_s)
        try:
            self._board.leave()
        except BoardUnavailable as error:
            _log.debug("left the board without notice", error=str(error))

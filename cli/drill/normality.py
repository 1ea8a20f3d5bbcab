"""Whether all is normal: answers are right without a break, and the whole stack is there."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cli.drill.client import Client
from cli.drill.mix import Action

IN_A_ROW = 10
PAUSE_S = 0.05
# a breaker that is about to open still looks closed
WHOLE_IN_A_ROW = 3
WHOLE_PAUSE_S = 0.2


class _Streak:
    """How often something was good since it was bad last, and when that began."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.length = 0
        self.began_at = 0.0

    @property
    def is_there(self) -> bool:
        return self.length >= self.wanted

    def add(self, *, is_good: bool, at: float) -> None:
        if not is_good:
            self.length = 0
            return
        if self.length == 0:
            self.began_at = at
        self.length += 1


@dataclass(frozen=True)
class Normal:
    """Since when answers are right, and the stack is whole (seconds since the drill began).

    None where that has not come; `missing` says which probes failed, and what is not there.
    """

    at: float | None
    whole_at: float | None
    missing: tuple[str, ...]


class Normality:
    """Probes with one thread and one connection a kind: a slow one holds up no other.

    `missing` tells what the stack is short of.
    """

    def __init__(
        self, probes: Mapping[str, Action], client: Callable[[str, threading.Event], Client],
        missing: Callable[[], Sequence[str]], now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._probes = probes
        self._client = client
        self._missing = missing
        self._now = now

    def wait(self, limit_s: float, stopping: threading.Event) -> Normal:
        """Wait until each kind has succeeded ten times in a row, and all of the stack is there.

        At most `limit_s` seconds.  All go on until all are there: what breaks again meanwhile is
        not normal.
        """
        streaks = {kind: _Streak(IN_A_ROW) for kind in self._probes}
        whole = _Whole(self._missing, self._now)
        done = threading.Event()
        threads = [
            threading.Thread(target=self._probe, args=[kind, streaks[kind], done], daemon=True)
            for kind in self._probes
        ]
        threads.append(threading.Thread(target=whole.watch, args=[done], daemon=True))
        end = self._now() + limit_s
        for thread in threads:
            thread.start()
        while self._now() < end and not stopping.is_set():
            if whole.streak.is_there and all(streak.is_there for streak in streaks.values()):
                break
            done.wait(PAUSE_S)
        done.set()
        for thread in threads:
            thread.join()
        failing = tuple(kind for kind, one in streaks.items() if not one.is_there)
        at = None if failing else max(streak.began_at for streak in streaks.values())
        if whole.streak.is_there:
            return Normal(at, whole.streak.began_at, failing)
        return Normal(at, None, (*failing, *whole.missing))

    def _probe(self, kind: str, streak: _Streak, done: threading.Event) -> None:
        client = self._client(f"probe {kind}", done)
        while not done.is_set():
            is_good = self._probes[kind](client)
            if done.is_set():  # it may have given up for that
                break
            streak.add(is_good=is_good, at=self._now())
            # who has what it needs goes on slowly, for the others' sake
            done.wait(10 * PAUSE_S if streak.is_there else PAUSE_S)
        client.connection.close()


class _Whole:
    """Looks at the stack again and again; `missing`: what it was short of at the last look."""

    def __init__(self, look: Callable[[], Sequence[str]], now: Callable[[], float]) -> None:
        self.streak = _Streak(WHOLE_IN_A_ROW)
        self.missing: tuple[str, ...] = ("the stack could not be looked at in time",)
        self._look = look
        self._now = now

    def watch(self, done: threading.Event) -> None:
        while not done.is_set():
            try:
                missing = tuple(self._look())
            # a program that is half up may answer anything
            except Exception as error:  # noqa: BLE001
                missing = (f"the stack cannot be looked at: {error!r}",)
            if done.is_set():
                break
            self.missing = missing
            self.streak.add(is_good=not missing, at=self._now())
            done.wait(WHOLE_PAUSE_S)

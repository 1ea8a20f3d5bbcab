"""Whether all is normal: each kind of probe answered right, several times without a break."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.drill.client import Client
from cli.drill.mix import Action

IN_A_ROW = 10
PAUSE_S = 0.05


class _Streak:
    """How often a probe has succeeded since it failed last, and when that began."""

    def __init__(self) -> None:
        self.length = 0
        self.began_at = 0.0

    def add(self, *, is_good: bool, at: float) -> None:
        if not is_good:
            self.length = 0
            return
        if self.length == 0:
            self.began_at = at
        self.length += 1


@dataclass(frozen=True)
class Normal:
    """Since when all is normal (seconds since the drill began); None, and what is not."""

    at: float | None
    missing: tuple[str, ...]


class Normality:
    """Probes with one thread and one connection a kind: a slow one holds up no other."""

    def __init__(
        self, probes: Mapping[str, Action], client: Callable[[str, threading.Event], Client],
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._probes = probes
        self._client = client
        self._now = now

    def wait(self, limit_s: float, stopping: threading.Event) -> Normal:
        """Probe until each kind has succeeded ten times in a row, or `limit_s` seconds are over.

        All kinds go on until all are there: what breaks again meanwhile is not normal.
        """
        streaks = {kind: _Streak() for kind in self._probes}
        done = threading.Event()
        threads = [
            threading.Thread(target=self._probe, args=[kind, streaks[kind], done], daemon=True)
            for kind in self._probes
        ]
        end = self._now() + limit_s
        for thread in threads:
            thread.start()
        while self._now() < end and not stopping.is_set():
            if all(streak.length >= IN_A_ROW for streak in streaks.values()):
                break
            done.wait(PAUSE_S)
        done.set()
        for thread in threads:
            thread.join()
        missing = tuple(kind for kind, one in streaks.items() if one.length < IN_A_ROW)
        at = None if missing else max(streak.began_at for streak in streaks.values())
        return Normal(at, missing)

    def _probe(self, kind: str, streak: _Streak, done: threading.Event) -> None:
        client = self._client(f"probe {kind}", done)
        while not done.is_set():
            is_good = self._probes[kind](client)
            if done.is_set():  # it may have given up for that
                break
            streak.add(is_good=is_good, at=self._now())
            # who has what it needs goes on slowly, for the others' sake
            done.wait(PAUSE_S if streak.length < IN_A_ROW else 10 * PAUSE_S)
        client.connection.close()

"""When a dead program is started again, and when that is pointless."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Exponential back-off with jitter; all durations in seconds.

    A program that has been healthy for `reset_after_s` starts over at `first_delay_s`.  One that
    was never healthy and died `crash_limit` times within `crash_window_s` is given up: it cannot
    start at all.  One that was healthy once is tried for ever, since what it lacks may come back.
    """

    first_delay_s: float = 0.2
    max_delay_s: float = 30.0
    reset_after_s: float = 10.0
    crash_limit: int = 5
    crash_window_s: float = 30.0


class Restarts:
    """One program's history of deaths, and what follows from it."""

    def __init__(
        self, policy: RestartPolicy, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._policy = policy
        self._chance = chance
        self._deaths: deque[float] = deque(maxlen=policy.crash_limit)
        self._streak = 0
        self._was_healthy = False

    def after_death(self, now_s: float, healthy_s: float | None) -> float | None:
        """Return the seconds to wait before the next start; None: give up.

        `healthy_s`: how long this run was healthy; None when it never was.
        """
        policy = self._policy
        if healthy_s is not None:
            self._was_healthy = True
            if healthy_s >= policy.reset_after_s:
                self._streak = 0
        self._deaths.append(now_s)
        crash_loop = (
            len(self._deaths) == policy.crash_limit
            and now_s - self._deaths[0] <= policy.crash_window_s
        )
        if crash_loop and not self._was_healthy:
            return None
        ceiling = min(policy.max_delay_s, policy.first_delay_s * 2.0 ** min(self._streak, 30))
        self._streak += 1
        # between half and whole: replicas that died together must not start together
        return ceiling * (0.5 + self._chance() / 2)

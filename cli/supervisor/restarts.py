"""When a dead program is started again, and when that is pointless."""

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """At once at first, then a back-off with jitter; all durations in seconds.

    Each death counts one.  Health makes up for them: `forgiven_after_s` of it for all that were
    before, half of that for half of them.  Up to `free_deaths` are followed by a start at once,
    since a program that was killed is needed now; from there on the delay doubles from
    `first_delay_s` to `max_delay_s`, since one that dies soon after each start only takes what
    the others need.  A run that never was healthy has no start at once.

    One that was never healthy and died `crash_limit` times within `crash_window_s` is given up: it
    cannot start at all.  One that was healthy once is tried for ever, since what it lacks may come
    back.
    """

    first_delay_s: float = 0.2
    max_delay_s: float = 30.0
    free_deaths: int = 3
    forgiven_after_s: float = 10.0
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
        self._unforgiven = 0.0
        self._was_healthy = False

    def after_death(self, now_s: float, healthy_s: float | None) -> float | None:
        """Return the seconds to wait before the next start; None: give up.

        `healthy_s`: how long this run was healthy; None when it never was.
        """
        policy = self._policy
        if healthy_s is None:
            self._unforgiven = max(self._unforgiven, policy.free_deaths)
        else:
            self._was_healthy = True
            self._unforgiven *= 1 - min(1.0, healthy_s / policy.forgiven_after_s)
        self._deaths.append(now_s)
        crash_loop = (
            len(self._deaths) == policy.crash_limit
            and now_s - self._deaths[0] <= policy.crash_window_s
        )
        if crash_loop and not self._was_healthy:
            return None
        doublings = self._unforgiven - policy.free_deaths
        self._unforgiven += 1
        if doublings < 0:
            return 0.0
        # 2.0 ** 1024 would be an error
        ceiling = min(policy.max_delay_s, policy.first_delay_s * math.exp2(min(doublings, 30)))
        # between half and whole: replicas that died together must not start together
        return ceiling * (0.5 + self._chance() / 2)

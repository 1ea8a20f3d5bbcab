"""All backends: who is ready, and who is picked."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lb.backend.backend import Backend
from lb.backend.health import Mode
from lb.backend.source import Address
from lb.backend.wait_queue import Waiter, WaitQueue
from lb.pick import PICKS, Strategy, first_due

# what on_change is told: the backend has another state, was found, or is no longer listed
Change = Literal["state", "added", "removed"]


@dataclass(frozen=True)
class BackendsPolicy:
    """`max_connections`: a backend with so many active requests isn't picked.

    `max_idle`: connections kept for each backend.  `slow_start_s`: for so long after it has become
    ready, a backend's weight grows; 0 for none.  `panic_ratio`: when less than this part of the
    backends is ready, the ejected ones are used too; 0 for never.
    """

    max_connections: int
    max_idle: int
    slow_start_s: float
    panic_ratio: float


class Backends:
    """The backends by id, the strategy, and the requests that wait for room at a backend.

    `random` returns numbers from 0 to below 1; `on_panic` hears when ejected backends begin to be
    used, since too few are ready, and when that ends; `soon` calls back in the loop's next turn.
    """

    def __init__(
        self,
        strategy: Strategy,
        policy: BackendsPolicy,
        queue: WaitQueue,
        *,
        on_change: Callable[[Backend, Change], None],
        on_panic: Callable[[bool], None] = lambda _began: None,
        clock: Callable[[], float],
        random: Callable[[], float],
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.by_id: dict[str, Backend] = {}
        self.queue = queue
        self.panicking = False
        self._strategy: Strategy = strategy
        self._picks = PICKS[strategy]
        self._policy = policy
        self._waiting = queue.waiting
        self._on_change = on_change
        self._on_panic = on_panic
        self._clock = clock
        self._random = random
        self._soon = soon or _soon
        self._ready: tuple[Backend, ...] = ()
        self._candidates: tuple[Backend, ...] = ()
        self._virtual_now = 0.0
        self._swept = clock()
        self._admitting = False

    @property
    def ready(self) -> tuple[Backend, ...]:
        """Those that are ready."""
        return self._ready

    @property
    def in_use(self) -> tuple[Backend, ...]:
        """Those that take requests: the ready ones; the ejected ones too when it must be."""
        return self._candidates

    @property
    def strategy(self) -> Strategy:
        """How backends are picked; may be set at any time: requests under way are not concerned."""
        return self._strategy

    @strategy.setter
    def strategy(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._picks = PICKS[strategy]
        for backend in self.by_id.values():  # another strategy's turns mean nothing to this one
            backend.due = first_due(self._virtual_now, backend.weight)

    def update(self, wanted: Mapping[Address, int]) -> None:
        """Make the list what `wanted` says (addresses, with weights).

        Backends that are no longer wanted finish what they hold.
        """
        known = {Address(backend.host, backend.port): backend for backend in self.by_id.values()}
        for address, weight in wanted.items():
            backend = known.get(address)
            if backend is None:
                backend = Backend(
                    address.host,
                    address.port,
                    self._state_changed,
                    weight=weight,
                    max_idle=self._policy.max_idle,
                )
                self.by_id[backend.id] = backend
                self._on_change(backend, "added")
            elif weight != backend.listed_weight:
                backend.listed_weight = weight
                self.change(backend, weight=weight)
        for address, backend in known.items():
            if address not in wanted:
                del self.by_id[backend.id]
                backend.set_mode("maintenance")
                self._on_change(backend, "removed")
        self._refresh()

    def change(
        self, backend: Backend, *, mode: Mode | None = None, weight: int | None = None
    ) -> None:
        """Do the operator's will to a backend; what is None stays as it is."""
        if weight is not None:
            backend.full_weight = weight
            self._reweigh(backend, self._clock())
        if mode is not None:
            backend.set_mode(mode)

    def pick(self, tried: Collection[Backend]) -> Backend | None:
        """Return the backend for a request, preferably none of `tried`; None: none can take it.

        None too while others wait: nobody is served before those who came first.
        """
        if self._waiting:
            return None
        return self._pick(tried)

    def wait(self, waiter: Waiter) -> bool:
        """Let `waiter`, for whom nobody could be picked, wait for room; False: too many do."""
        if not self.queue.enter(waiter, self._clock()):
            return False
        # It may only have come behind others, for whom room was made but who are not called yet.
        self._admit_soon()
        return True

    def request_over(self, waiter: Waiter) -> None:
        """Forget `waiter` and use the room that it leaves: to be called if anybody waits."""
        self.queue.leave(waiter)
        self._admit_soon()

    def sweep(self, now: float) -> None:
        """Do what is due by time: to be called a few times a second."""
        elapsed_s, self._swept = now - self._swept, now
        for backend in self.by_id.values():
            backend.decay_peak(elapsed_s)
            if backend.weight != backend.full_weight:
                self._reweigh(backend, now)
        if self._waiting:
            self.queue.expire(now)
            self._admit_soon()

    def close_idle(self, before: float | None = None) -> None:
        """Close idle connections of all: every one, or those idle since before a time."""
        for backend in self.by_id.values():
            backend.close_idle(before)

    def _pick(self, tried: Collection[Backend]) -> Backend | None:
        candidates: Sequence[Backend] = self._candidates
        if tried:
            candidates = tuple(b for b in candidates if b not in tried) or candidates
        if not candidates:
            return None
        most = self._policy.max_connections
        chosen = self._picks(candidates, self._random())
        if chosen.active >= most:
            candidates = [b for b in candidates if b.active < most]
            if not candidates:
                return None
            chosen = self._picks(candidates, self._random())
        # One that could not take its turns (it was full, or busier than others) has lost them:
        # else it would get all requests until it has caught up.
        if chosen.due > self._virtual_now:
            self._virtual_now = chosen.due
        chosen.due = self._virtual_now + 1 / chosen.weight
        return chosen

    def _admit_soon(self) -> None:
        # Not at once: a request that ends would then call another, whose end calls another …
        if not self._admitting:
            self._admitting = True
            self._soon(self._admit)

    def _admit(self) -> None:
        self._admitting = False
        self.queue.admit(self._pick)

    def _reweigh(self, backend: Backend, now: float) -> None:
        weight = backend.effective_weight(now, self._policy.slow_start_s)
        distance = max(0.0, backend.due - self._virtual_now)
        backend.due = self._virtual_now + distance * backend.weight / weight
        backend.weight = weight

    def _state_changed(self, backend: Backend) -> None:
        if backend.state == "ready":
            now = self._clock()
            backend.ready_since = now
            self._reweigh(backend, now)
            backend.due = first_due(self._virtual_now, backend.weight)
        self._refresh()
        self._on_change(backend, "state")

    def _refresh(self) -> None:
        backends = self.by_id.values()
        self._ready = tuple(b for b in backends if b.state == "ready")
        # One that has never passed a check is no loss: it is starting, or was listed by mistake.
        # One that is being stopped is none either.
        seen = tuple(b for b in backends if b.mode == "ready" and b.health.seen)
        usable = tuple(b for b in seen if not b.health.draining)
        panicked = self.panicking
        self.panicking = len(self._ready) < self._policy.panic_ratio * len(usable)
        # where all are being stopped, they serve for moments yet: better than nobody
        self._candidates = (usable if self.panicking else self._ready) or (() if usable else seen)
        if self.panicking != panicked:
            self._on_panic(self.panicking)
        if self._waiting:
            self._admit_soon()


def _soon(callback: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(callback)

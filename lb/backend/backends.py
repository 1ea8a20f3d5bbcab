"""All backends: who is ready, and who is picked."""

import itertools
from collections.abc import Callable, Collection, Iterable
from typing import Literal

from lb.backend.backend import Backend
from lb.backend.source import Address
from lb.pick import Strategy, pick

# what on_change is told: the backend has another state, was found, or is no longer listed
Change = Literal["state", "added", "removed"]


class Backends:
    """The backends by id, and the strategy.

    `max_connections`: a backend with so many active requests isn't picked.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        max_connections: int,
        on_change: Callable[[Backend, Change], None],
    ) -> None:
        self.strategy: Strategy = strategy
        self.by_id: dict[str, Backend] = {}
        self._max_connections = max_connections
        self._on_change = on_change
        self._ready: tuple[Backend, ...] = ()
        self._turns = itertools.count()

    @property
    def ready(self) -> tuple[Backend, ...]:
        """Those that take requests."""
        return self._ready

    def update(self, addresses: Iterable[Address]) -> None:
        """Make the list what `addresses` says; those that left finish what they hold."""
        wanted = dict.fromkeys(addresses)
        known = {Address(backend.host, backend.port) for backend in self.by_id.values()}
        for address in wanted:
            if address not in known:
                backend = Backend(address.host, address.port, self._state_changed)
                self.by_id[backend.id] = backend
                self._on_change(backend, "added")
        for backend in list(self.by_id.values()):
            if Address(backend.host, backend.port) not in wanted:
                del self.by_id[backend.id]
                backend.set_mode("maintenance")
                self._on_change(backend, "removed")
        self._refresh()

    def pick(self, tried: Collection[Backend]) -> Backend | None:
        """Return the backend for a request, preferably none of `tried`; None: none can take it."""
        candidates = self._ready
        if tried:
            candidates = tuple(b for b in candidates if b not in tried) or candidates
        if not candidates:
            return None
        chosen = candidates[pick(self.strategy, candidates, next(self._turns))]
        if chosen.active >= self._max_connections:
            free = [b for b in candidates if b.active < self._max_connections]
            if not free:
                return None
            chosen = free[pick(self.strategy, free, next(self._turns))]
        return chosen

    def close_idle(self, before: float | None = None) -> None:
        """Close idle connections of all: every one, or those idle since before a time."""
        for backend in self.by_id.values():
            backend.close_idle(before)

    def _state_changed(self, backend: Backend) -> None:
        self._refresh()
        self._on_change(backend, "state")

    def _refresh(self) -> None:
        self._ready = tuple(b for b in self.by_id.values() if b.state == "ready")

"""Starts the serving processes, replaces those that die, and all of them at a reload."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from lb.admin.fleet import Fleet, MemberGone
from lb.admin.overview import Overview
from lb.admin.totals import families
from lb.errors import StartFailed
from lb.events import Events
from lb.processes.backoff import Backoff
from lb.processes.child import Child

# Interpreters that start all at once on a busy machine take their time.
_START_TIMEOUT_S = 60.0
# Above what the child needs for its own end after its drain timeout.
_SPARE_S = 5.0
# A process that serves answers at once, so one that is silent for so long hangs, and its clients
# with it.
_SILENCE_S = 10.0
_PULSE_S = 1.0


class Parent:
    """start(), then reload() at will, then stop().

    `spawn(slot)` starts a process that can accept from every slot and shall accept from its own.
    The listening sockets are the parent's, so that no connection in their queues is lost
    when a process ends.  One that is silent for `silence_s` is killed, and replaced.
    """

    def __init__(
        self,
        spawn: Callable[[int], Awaitable[Child]],
        slots: int,
        fixed: dict[str, str],
        *,
        silence_s: float = _SILENCE_S,
        pulse_s: float = _PULSE_S,
    ) -> None:
        self._spawn = spawn
        self._silence_s = silence_s
        self._pulse_s = pulse_s
        self._fixed = fixed
        self._current: list[Child | None] = [None] * slots
        self._backoffs = [Backoff() for _ in range(slots)]
        self._generation = 0
        self._alive: dict[int, Child] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._guards: dict[int, asyncio.Task[None]] = {}
        self._overview = Overview()
        self._log = structlog.get_logger("lb")
        self._events = Events(self._log)
        self.fleet = Fleet(
            lambda: tuple(self._alive.values()), lambda: families([self._events.metric()])
        )

    @property
    def overview(self) -> Overview:
        """What the parent knows by itself."""
        serving = [child for child in self._alive.values() if child.stage == "serving"]
        expiries = [
            child.certificate_expires_at
            for child in serving
            if child.certificate_expires_at is not None
        ]
        return replace(
            self._overview,
            serving=len(serving),
            certificate_expires_at=min(expiries, default=None),
        )

    async def start(self) -> None:
        """Start a process for each slot.  Raises StartFailed, with none left."""
        self._take_over(await self._generate())

    async def reload(self) -> None:
        """Replace all processes by new ones, which read code and settings anew.

        The old ones go on until all new ones listen.  When one cannot, or no backend is ready for
        it while one is for the old ones, all stays as it was.
        """
        try:
            new = await self._generate(must_have_backends=bool(await self.fleet.ready()))
        except StartFailed as error:
            self._overview = self._overview.refused(str(error))
            self._events.emit("reload_refused", str(error))
            return
        self._overview = self._overview.reloaded()
        self._take_over(new)
        self._events.emit("reloaded", "SIGHUP", pids=[child.pid for child in new])

    async def stop(self) -> None:
        """Let all finish what they hold, and wait for their end; by SIGKILL if it takes too long.

        Not while a reload is under way.
        """
        self._overview = replace(self._overview, draining=True)
        self._events.emit("balancer_draining", "it was told to stop")
        for task in self._replacing:
            task.cancel()
        limit_s = max((one.drain_timeout_s for one in self._alive.values()), default=0.0)
        for child in tuple(self._alive.values()):
            child.drain()
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=limit_s + _SPARE_S)
        for child in tuple(self._alive.values()):
            child.kill()
        await asyncio.gather(*self._watchers)

    def left(self, child: Child, cause: str = "it takes no more clients") -> None:
        """Replace a child that takes no more clients though nobody asked it to end."""
        slot = child.slot
        if self._current[slot] is not child:
            return
        self._current[slot] = None
        if self._overview.draining:
            return
        self._overview = replace(self._overview, restarts=self._overview.restarts + 1)
        life_s = time.monotonic() - child.started
        self._events.emit("process_restarted", cause, pid=child.pid, lived_s=round(life_s, 3))
        task = asyncio.get_running_loop().create_task(self._replace(slot, life_s))
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    def farewell(self, child: Child, metrics: list[dict[str, Any]]) -> None:
        """Keep the last counts of a child that ends in order."""
        if self._alive.pop(child.pid, None) is not None:
            self.fleet.left(child.pid, metrics)

    async def _generate(self, *, must_have_backends: bool = False) -> list[Child]:
        """Return a serving process for each slot.  Raises StartFailed, with none left."""
        children: list[Child] = []
        try:
            for slot in range(len(self._current)):
                children.append(await self._begin(slot))  # noqa: PERF401 - for the finally
            for child in children:
                said = await child.prepared(_START_TIMEOUT_S)
                self._compare(said["fixed"])
                if must_have_backends and not said["backends_ready"]:
                    raise StartFailed("none of its backends passed its first check.")
            for child in children:
                await self._let_serve(child)
        except (MemberGone, OSError) as error:
            self._discard(children)
            raise StartFailed(str(error)) from error
        except BaseException:
            self._discard(children)
            raise
        return children

    async def _begin(self, slot: int) -> Child:
        child: Child = await self._spawn(slot)
        self._alive[child.pid] = child
        watcher = asyncio.get_running_loop().create_task(self._watch(child))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return child

    async def _let_serve(self, child: Child) -> None:
        # Before it is told, it must count as one who is told: a decision made meanwhile comes
        # after the older ones on the same channel.
        child.stage = "serving"
        await child.ask("decide", self.fleet.decisions.model_dump())
        await child.ask("listen", child.slot)
        self._guards[child.pid] = asyncio.get_running_loop().create_task(self._guard(child))

    async def _guard(self, child: Child) -> None:
        while not child.has_ended:
            await asyncio.sleep(self._pulse_s)
            try:
                await child.ask("ready", timeout_s=self._silence_s)
            except MemberGone as error:
                if not child.has_ended:
                    self._events.emit("process_hung", str(error), pid=child.pid)
                    child.kill()
                    return

    def _take_over(self, new: Sequence[Child]) -> None:
        old = [child for child in self._current if child is not None]
        self._generation += 1
        self._current = list(new)
        for child in old:
            child.drain()
        for child in new:
            if child.has_ended or child.stage != "serving":  # before it was in its place
                self.left(child)

    def _discard(self, children: Sequence[Child]) -> None:
        for child in children:
            if child.stage == "serving":
                child.drain()  # it may have clients already
            else:
                # Its end is no death to tell of: it has served nobody.
                self._alive.pop(child.pid, None)
                child.kill()

    def _compare(self, fixed: dict[str, str]) -> None:
        for variable, value in fixed.items():
            if value != self._fixed[variable]:
                self._log.warning(
                    "takes effect at the next start only", variable=variable, value=value
                )

    async def _watch(self, child: Child) -> None:
        code = await child.ended()
        guard = self._guards.pop(child.pid, None)
        if guard is not None:
            guard.cancel()
        if self._alive.pop(child.pid, None) is not None:
            if self._current[child.slot] is not child:  # else its end is an event
                self._log.error("a process died", pid=child.pid, code=code)
            self.fleet.left(child.pid, None)
        self.left(child, f"it ended with code {code}")

    async def _replace(self, slot: int, life_s: float) -> None:
        generation = self._generation
        await self._lend(slot)
        while not await self._replaced(slot, generation, life_s):
            life_s = 0.0

    async def _replaced(self, slot: int, generation: int, life_s: float) -> bool:
        """Try to replace the process that served `slot`; True also when nobody has to."""
        await asyncio.sleep(self._backoffs[slot].after_life(life_s))
        if self._is_over(generation):
            return True
        child: Child | None = None
        try:
            child = await self._begin(slot)
            await child.prepared(_START_TIMEOUT_S)
            if self._is_over(generation):
                self._discard([child])
                return True
            await self._let_serve(child)
        except (StartFailed, MemberGone, OSError) as error:
            if child is not None:
                self._discard([child])
            self._log.error("a process could not be started", reason=str(error))
            return False
        if self._is_over(generation):
            child.drain()
            return True
        self._current[slot] = child
        for other in self._siblings(slot):
            await self._tell(other, "ignore", slot)
        return True

    def _is_over(self, generation: int) -> bool:
        return self._overview.draining or generation != self._generation

    async def _lend(self, slot: int) -> None:
        """Let a sibling take the clients of a slot without a process: they should not wait."""
        for sibling in self._siblings(slot)[:1]:
            await self._tell(sibling, "listen", slot)

    def _siblings(self, slot: int) -> list[Child]:
        return [one for one in self._current if one is not None and one.slot != slot]

    async def _tell(self, child: Child, what: str, slot: int) -> None:
        try:
            await child.ask(what, slot)
        except MemberGone as error:
            self._log.warning("a process does not answer", pid=child.pid, reason=str(error))

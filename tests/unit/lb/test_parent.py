"""The parent's decisions, with processes that are only played."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal, cast

import pytest

from lb.admin.fleet import MemberGone
from lb.errors import StartFailed
from lb.processes.child import Child
from lb.processes.parent import Parent

FIXED = {"MILLRACE_LB_LISTEN": "127.0.0.1:1"}


class PlayedChild:
    """Prepares and answers as told; ends when it is asked to."""

    def __init__(self, slot: int, pid: int, *, backends_ready: int = 1, failure: str = "") -> None:
        self.slot = slot
        self.pid = pid
        self.stage: Literal["starting", "serving", "draining"] = "starting"
        self.started = 0.0  # long ago: it is replaced at once
        self.drain_timeout_s = 1.0
        self.certificate_expires_at: float | None = None
        self.asked: list[tuple[str, Any]] = []
        self.hangs = False
        self.drained = False
        self._backends_ready = backends_ready
        self._failure = failure
        self._ended = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def prepared(self, timeout_s: float) -> dict[str, Any]:
        if self._failure:
            raise StartFailed(self._failure)
        return {"backends_ready": self._backends_ready, "fixed": FIXED}

    async def ask(self, what: str, body: Any = None, *, timeout_s: float = 2.0) -> Any:
        self.asked.append((what, body))
        if self.hangs or self.has_ended:
            raise MemberGone("silent")
        return self._backends_ready

    def drain(self) -> None:
        self.stage = "draining"
        self.drained = True
        self._ended.set()

    def kill(self) -> None:
        self._ended.set()

    async def ended(self) -> int:
        await self._ended.wait()
        return 0


class Play:
    """A parent, and the children that it has started, which `cast_next` makes."""

    def __init__(self, slots: int) -> None:
        self.children: list[PlayedChild] = []
        self.cast_next: Callable[[int, int], PlayedChild] = PlayedChild
        self.parent = Parent(self._spawn, slots, FIXED, silence_s=0.01, pulse_s=0.001)

    async def _spawn(self, slot: int) -> Child:
        child = self.cast_next(slot, len(self.children))
        self.children.append(child)
        return cast("Child", child)

    def serving(self) -> list[int]:
        return [one.pid for one in self.children if one.stage == "serving" and not one.has_ended]

    async def until_serving(self, pids: list[int]) -> None:
        async with asyncio.timeout(60):
            while self.serving() != pids:
                await asyncio.sleep(0.001)


def test_a_process_that_hangs_is_killed_and_replaced() -> None:
    async def play() -> None:
        stage = Play(2)
        await stage.parent.start()
        stage.children[0].hangs = True
        await stage.until_serving([1, 2])
        assert not stage.children[0].drained
        assert stage.parent.overview.restarts == 1
        await stage.parent.stop()

    asyncio.run(play())


def test_the_certificate_that_expires_first_is_told() -> None:
    async def play() -> None:
        stage = Play(2)
        await stage.parent.start()
        stage.children[0].certificate_expires_at = 2000.0
        stage.children[1].certificate_expires_at = 1000.0
        before = stage.parent.overview
        stage.children[1].kill()
        await stage.until_serving([0, 2])
        stage.children[1].stage = "draining"
        after = stage.parent.overview
        assert (before.certificate_expires_at, after.certificate_expires_at) == (1000.0, 2000.0)
        await stage.parent.stop()

    asyncio.run(play())


def test_a_sibling_takes_the_clients_of_a_dead_process_until_another_does() -> None:
    async def play() -> None:
        stage = Play(2)
        await stage.parent.start()
        stage.children[0].kill()
        await stage.until_serving([1, 2])
        async with asyncio.timeout(60):
            while ("ignore", 0) not in stage.children[1].asked:
                await asyncio.sleep(0.001)
        lent = [one for one in stage.children[1].asked if one[0] in {"listen", "ignore"}]
        assert lent == [("listen", 1), ("listen", 0), ("ignore", 0)]
        assert stage.children[2].slot == 0
        await stage.parent.stop()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"failure": "it is broken"}, "it is broken"),
        ({"backends_ready": 0}, "none of its backends"),
    ],
)
def test_when_one_new_process_is_not_fit_all_old_ones_stay(
    second: dict[str, Any], reason: str
) -> None:
    async def play() -> None:
        stage = Play(2)
        await stage.parent.start()
        stage.cast_next = lambda slot, pid: PlayedChild(slot, pid, **second if slot else {})
        await stage.parent.reload()
        assert stage.serving() == [0, 1]
        assert [one.has_ended for one in stage.children] == [False, False, True, True]
        overview = stage.parent.overview
        assert (overview.reloads_refused, overview.restarts) == (1, 0)
        assert reason in (overview.last_refusal or "")
        await stage.parent.stop()

    asyncio.run(play())


def test_old_processes_drain_only_when_all_new_ones_listen() -> None:
    async def play() -> None:
        stage = Play(2)
        await stage.parent.start()
        old = stage.children[:2]
        listening: list[bool] = []

        class Observer(PlayedChild):
            async def ask(self, what: str, body: Any = None, *, timeout_s: float = 2.0) -> Any:
                if what == "listen":
                    listening.append(any(one.drained for one in old))
                return await super().ask(what, body)

        stage.cast_next = Observer
        await stage.parent.reload()
        assert listening == [False, False]
        assert all(one.drained for one in old)
        assert stage.serving() == [2, 3]
        await stage.parent.stop()
        assert stage.serving() == []

    asyncio.run(play())


def test_a_first_start_that_fails_leaves_nobody() -> None:
    async def play() -> None:
        stage = Play(2)
        stage.cast_next = lambda slot, pid: PlayedChild(slot, pid, failure="" if pid else "no")
        with pytest.raises(StartFailed, match="no"):
            await stage.parent.start()
        assert all(one.has_ended for one in stage.children)
        await stage.parent.stop()

    asyncio.run(play())

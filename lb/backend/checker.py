"""Asks every backend, again and again, whether it is ready."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from lb.backend.backend import Backend
from lb.backend.health import HealthPolicy, after_check


class Checker:
    """One task a backend that sends `GET /health/ready` on a connection of its own.

    A new connection each time, so that a check also tells whether the backend accepts any.
    """

    def __init__(
        self,
        policy: HealthPolicy,
        *,
        interval_s: float,
        timeout_s: float,
        now_text: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._now_text = now_text
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def watch(self, backend: Backend) -> None:
        """Begin to check `backend`, at once and then each interval."""
        self._tasks[backend.id] = asyncio.get_running_loop().create_task(self._run(backend))

    def forget(self, backend: Backend) -> None:
        """Stop checking `backend`."""
        task = self._tasks.pop(backend.id, None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Stop all checks."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, backend: Backend) -> None:
        while True:
            if backend.mode != "maintenance":
                failure = await self._check(backend)
                backend.last_check = self._now_text()
                backend.set_health(after_check(backend.health, failure, self._policy))
            await asyncio.sleep(self._interval_s)

    async def _check(self, backend: Backend) -> str | None:
        """Return why `backend` is not ready, or None."""
        try:
            async with asyncio.timeout(self._timeout_s):
                status_line = await _ask(backend)
        except TimeoutError:
            return f"the check got no answer within {self._timeout_s:g} s"
        except (OSError, ValueError) as error:
            return f"the check failed: {error}"
        version, _, rest = status_line.partition(b" ")
        if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
            return "the check's answer is not HTTP"
        if rest[:3] != b"200":
            return f"the check was answered {rest[:3].decode('latin-1')}"
        return None


async def _ask(backend: Backend) -> bytes:
    reader, writer = await asyncio.open_connection(backend.host, backend.port)
    try:
        writer.write(
            b"GET /health/ready HTTP/1.1\r\nHost: %b\r\nUser-Agent: millrace-lb\r\n"
            b"Connection: close\r\n\r\n" % backend.id.encode()
        )
        line = await reader.readline()
        await reader.read(
            65536
        )  # unread bytes would make our close a reset: a fault, to the replica
        return line
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

"""Asks every backend, again and again, whether it is ready."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from lb.backend.backend import Backend, Check
from lb.backend.health import HealthPolicy, after_check
from lb.wire.response import DRAINING, OVERLOADED

# Part of the interval by which it varies, so that many balancers do not all ask at once.
_JITTER = 0.1


class Checker:
    """One task a backend that sends `GET /health/ready` on a connection of its own.

    A new connection each time, so that a check also tells whether the backend accepts any.
    `on_silent` is told of a backend that has failed enough checks in a row to be ejected, and
    gave no answer to the latest: again after each further one.  `random` returns 0 to below 1.
    """

    def __init__(
        self,
        policy: HealthPolicy,
        *,
        interval_s: float,
        timeout_s: float,
        clock: Callable[[], float],
        now_text: Callable[[], str],
        random: Callable[[], float],
        on_silent: Callable[[Backend], None],
    ) -> None:
        self._policy = policy
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._now_text = now_text
        self._random = random
        self._on_silent = on_silent
        self._tasks: dict[Backend, asyncio.Task[None]] = {}

    def watch(self, backend: Backend) -> None:
        """Begin to check `backend`, at once and then each interval."""
        self._tasks[backend] = asyncio.get_running_loop().create_task(self._run(backend))

    def forget(self, backend: Backend) -> None:
        """Stop checking `backend`."""
        task = self._tasks.pop(backend, None)
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
            began = self._clock()
            if backend.mode != "maintenance":
                backend.check = check = await self._check(backend)
                if check.draining:
                    backend.draining(check.failure or "it says that it is being stopped")
                elif not check.undecided:
                    backend.set_health(
                        after_check(backend.health, check.failure, self._policy, self._clock())
                    )
                # being stopped, it takes no connections any more, but finishes what it holds
                is_silent = not check.answered and not backend.health.draining
                if is_silent and backend.health.failed >= self._policy.fall:
                    self._on_silent(backend)
            # From start to start: checks that time out must not make an ejection wait longer.
            interval_s = self._interval_s * (1 + _JITTER * (2 * self._random() - 1))
            await asyncio.sleep(max(0.0, began + interval_s - self._clock()))

    async def _check(self, backend: Backend) -> Check:
        began, at, status_line, rest = self._clock(), self._now_text(), b"", b""
        failure = None
        try:
            async with asyncio.timeout(self._timeout_s):
                status_line, rest = await _ask(backend)
        except TimeoutError:
            failure = f"the check got no answer within {self._timeout_s:g} s"
        except (OSError, ValueError) as error:
            failure = f"the check failed: {error}"
        else:
            version, _, status = status_line.partition(b" ")
            if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
                failure = "the check's answer is not HTTP"
            elif status[:3] != b"200":
                failure = f"the check was answered {status[:3].decode('latin-1')}"
        fields = b"\n" + rest.lower()
        return Check(
            at, self._clock() - began, failure, answered=bool(status_line),
            undecided=b"\n" + OVERLOADED + b":" in fields,
            draining=b"\n" + DRAINING + b":" in fields,
        )  # fmt: skip


async def _ask(backend: Backend) -> tuple[bytes, bytes]:
    """Return the first line of the answer, and what came behind it."""
    reader, writer = await asyncio.open_connection(backend.host, backend.port)
    try:
        writer.write(
            b"GET /health/ready HTTP/1.1\r\nHost: %b\r\nUser-Agent: millrace-lb\r\n"
            b"Connection: close\r\n\r\n" % backend.id.encode()
        )
        line = await reader.readline()
        # unread bytes would make our close a reset: a fault, to the replica
        rest = await reader.read(65536)
        return line, rest
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

"""Builds the balancer, runs it, and ends it in order."""

import asyncio
import random
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

import structlog
import uvloop
from prometheus_client import exposition
from pydantic import ValidationError

from lb import logs
from lb.access_log import AccessLog
from lb.admin.connection import AdminConnection
from lb.admin.metrics import registry
from lb.admin.routes import Answer, Routes
from lb.admin.status import status
from lb.backend.backend import Backend
from lb.backend.backends import Backends, BackendsPolicy, Change
from lb.backend.checker import Checker
from lb.backend.health import HealthPolicy
from lb.backend.resolver import Resolver
from lb.backend.wait_queue import WaitQueue
from lb.client.connection import ClientConnection
from lb.client_address import ClientAddresses
from lb.counters import Counters
from lb.errors import StartFailed
from lb.limiter.limiter import Limiter
from lb.listening import listen, raise_file_limit
from lb.proxy import Proxy
from lb.request_id import request_ids
from lb.retry import RetryBudget, RetryPolicy
from lb.settings import BalancerSettings

_SWEEP_S = 0.25
_SPARE_FILES = 64


def _now_text() -> str:
    return datetime.now(UTC).isoformat()


class Balancer:
    """Everything wired: start() in a running loop, then stop().

    `address` and `admin_address` are (host, port) once started.
    """

    def __init__(self, settings: BalancerSettings) -> None:
        self._settings = settings
        self._log = structlog.get_logger("lb")
        clock = time.monotonic
        health_policy = HealthPolicy(
            settings.check_rise,
            settings.check_fall,
            settings.max_connection_failures,
            settings.eject_s,
            settings.eject_max_s,
        )
        self._checker = Checker(
            health_policy,
            interval_s=settings.check_interval_s,
            timeout_s=settings.check_timeout_s,
            clock=clock,
            now_text=_now_text,
            random=random.random,
            on_silent=self._backend_silent,
        )
        backends = Backends(
            settings.strategy,
            BackendsPolicy(
                max_connections=settings.max_backend_connections,
                max_idle=settings.max_idle_per_backend,
                slow_start_s=settings.slow_start_s,
                panic_ratio=settings.panic_ratio,
            ),
            WaitQueue(length=settings.queue_length, timeout_s=settings.queue_timeout_s),
            on_change=self._backend_changed,
            clock=clock,
            random=random.random,
        )
        self._resolver = Resolver(
            settings.sources, backends, interval_s=settings.resolve_interval_s
        )
        rate = settings.rate
        self._access_log = AccessLog(settings.access_log, sys.stdout.buffer, now_text=_now_text)
        self.proxy = Proxy(
            settings,
            backends=backends,
            client_addresses=ClientAddresses(
                settings.trusted_networks, ipv6_prefix=settings.rate_limit_ipv6_prefix
            ),
            limiter=None
            if rate is None
            else Limiter(rate, max_clients=settings.rate_limit_max_clients, now=clock()),
            health_policy=health_policy,
            retry_policy=RetryPolicy(settings.max_retries, settings.safe_paths),
            retry_budget=RetryBudget(
                ratio=settings.retry_budget, minimum=settings.retry_budget_minimum
            ),
            counters=Counters(),
            access_log=self._access_log,
            next_request_id=request_ids(random.SystemRandom().getrandbits),
            clock=clock,
        )
        metrics = registry(self.proxy)
        self._routes = Routes(
            self.proxy,
            status=lambda: status(self.proxy),
            metrics=lambda: Answer(
                exposition.CONTENT_TYPE_LATEST, exposition.generate_latest(metrics)
            ),
        )
        self._admin_connections: set[AdminConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.address = ("", 0)
        self.admin_address = ("", 0)

    async def start(self) -> None:
        """Listen, and begin to watch the backends.  Raises StartFailed."""
        settings, loop = self._settings, asyncio.get_running_loop()
        raise_file_limit(
            2 * (settings.max_client_connections + settings.max_backend_connections) + _SPARE_FILES
        )
        public = listen(settings.listen_address, "MILLRACE_LB_LISTEN")
        try:
            admin = listen(settings.admin_address, "MILLRACE_LB_ADMIN_LISTEN")
        except StartFailed:
            public.close()
            raise
        self.address = public.getsockname()[:2]
        self.admin_address = admin.getsockname()[:2]
        # Resolved before the first client can come, so that it does not meet an empty list.
        await self._resolver.resolve()
        self._tasks = [
            loop.create_task(self._resolver.run()), loop.create_task(self._sweep())
        ]  # fmt: skip
        self._servers = [
            await loop.create_server(lambda: ClientConnection(self.proxy), sock=public),
            await loop.create_server(self._admin_connection, sock=admin),
        ]
        self._log.info("listening", address=settings.listen, admin=settings.admin_listen)

    async def stop(self) -> None:
        """Accept nothing new, finish what is in flight, and close; hard after the drain timeout."""
        public, admin = self._servers
        public.close()
        self.proxy.drain()
        give_up = self.proxy.clock() + self._settings.drain_timeout_s
        while any(client.is_busy for client in self.proxy.clients):
            if self.proxy.clock() >= give_up:
                self._log.warning("drain timed out", active=self.proxy.counters.active)
                break
            await asyncio.sleep(0.01)
        for client in tuple(self.proxy.clients):
            client.abort()
        admin.close()
        for connection in tuple(self._admin_connections):
            connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._checker.stop()
        self.proxy.backends.close_idle()
        await asyncio.sleep(0)  # so that the transports tell that they are closed
        self._access_log.close()
        self._log.info("stopped")

    async def _sweep(self) -> None:
        while True:
            self.proxy.sweep()
            await asyncio.sleep(_SWEEP_S)

    def _admin_connection(self) -> AdminConnection:
        return AdminConnection(self._routes, self.proxy.next_request_id, self._admin_connections)

    def _backend_silent(self, backend: Backend) -> None:
        self.proxy.backend_silent(backend)

    def _backend_changed(self, backend: Backend, change: Change) -> None:
        if change == "added":
            self._checker.watch(backend)
        elif change == "removed":
            self._checker.forget(backend)
        self._log.info(
            f"backend {change}",
            backend=backend.id,
            state=backend.state,
            reason=backend.health.reason,
        )


async def _serve(settings: BalancerSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    balancer = Balancer(settings)
    await balancer.start()
    await stopping.wait()
    await balancer.stop()


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    try:
        settings = BalancerSettings()
    except ValidationError as error:
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"])
            variable = place if place.startswith("MILLRACE") else f"MILLRACE_LB_{place.upper()}"
            print(f"lb: {variable}: {item['msg']}", file=sys.stderr)  # noqa: T201
        print("lb: docs/balancer.md describes each setting.", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure(settings.log_level, settings.log_format)
    try:
        with suppress(KeyboardInterrupt):
            uvloop.run(_serve(settings))
    except StartFailed as error:
        print(f"lb: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0

"""Builds the balancer of one process, runs it, and ends it in order."""

import asyncio
import random
import signal
import socket
import ssl
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
import uvloop
from pydantic import ValidationError

from lb import logs
from lb.access_log import AccessLog
from lb.admin.decisions import Decisions
from lb.admin.metrics import samples
from lb.backend.backend import Backend
from lb.backend.backends import Backends, BackendsPolicy, Change
from lb.backend.checker import Checker
from lb.backend.health import HealthPolicy, Mode, State
from lb.backend.resolver import Resolver
from lb.backend.wait_queue import WaitQueue
from lb.client.arrivals import Arrivals
from lb.client.connection import ClientConnection
from lb.client.proxied_listener import ProxiedListener
from lb.client_address import ClientAddresses
from lb.counters import Counters
from lb.errors import StartFailed
from lb.events import Events
from lb.limiter.wiring import make_limiter
from lb.listening import raise_file_limit
from lb.processes.answers import Answers
from lb.processes.channel import Channel
from lb.proxy import Proxy
from lb.request_id import request_ids
from lb.retry import RetryBudget, RetryPolicy
from lb.settings import BalancerSettings, complaints, load
from lb.throttle import Throttle
from lb.tls import expires_at, server_context

if TYPE_CHECKING:
    from lb.tracing import Tracing

_SWEEP_S = 0.25
_SPARE_FILES = 64
_TLS_SHUTDOWN_S = 2.0
_DECIDED = "the operator decided so"


def _now_text() -> str:
    return datetime.now(UTC).isoformat()


class Balancer:
    """Everything wired: watch() and listen() in a running loop, then stop()."""

    def __init__(self, settings: BalancerSettings) -> None:
        self._settings = settings
        self._log = structlog.get_logger("lb")
        self._events = Events(self._log)
        self._states: dict[Backend, tuple[State, Mode]] = {}
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
            on_panic=self._panicked,
            clock=clock,
            random=random.random,
        )
        self._resolver = Resolver(
            settings.sources, backends, interval_s=settings.resolve_interval_s
        )
        self._access_log = AccessLog(
            settings.access_log,
            sys.stdout.buffer,
            sample=settings.access_log_sample,
            random=random.random,
            now_text=_now_text,
        )
        self.proxy = Proxy(
            settings,
            backends=backends,
            client_addresses=ClientAddresses(
                settings.trusted_networks, ipv6_prefix=settings.rate_limit_ipv6_prefix
            ),
            limiter=make_limiter(settings, clock=clock, log=self._log, emit=self._events.emit),
            health_policy=health_policy,
            retry_policy=RetryPolicy(settings.max_retries, settings.safe_paths),
            retry_budget=RetryBudget(
                ratio=settings.retry_budget, minimum=settings.retry_budget_minimum
            ),
            throttle=Throttle(
                factor=settings.throttle_factor,
                draw=random.random,
                now=clock(),
                emit=self._events.emit,
            ),
            counters=Counters(),
            events=self._events,
            access_log=self._access_log,
            next_request_id=request_ids(random.SystemRandom().getrandbits),
            clock=clock,
            tracing=self._make_tracing(settings),
        )
        self._decisions = Decisions()
        self._tls: ssl.SSLContext | None = None
        self.certificate_expires_at: float | None = None
        self._arrivals = Arrivals(self.proxy, self._log)
        self._servers: dict[int, asyncio.Server | ProxiedListener] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def _make_tracing(self, settings: BalancerSettings) -> "Tracing | None":
        if not settings.otlp_endpoint:
            return None
        # a tenth of a second, and five megabytes, that nobody pays who does not trace
        from lb.tracing import Tracing

        return Tracing(
            settings.otlp_endpoint,
            ratio=settings.trace_ratio,
            most_waiting=settings.trace_queue,
            clients=settings.trace_clients,
            told=self._told_of_spans,
        )

    def _told_of_spans(self, problem: str | None) -> None:
        if problem is None:
            self._log.info("spans are sent again")
        else:
            self._log.warning("spans cannot be sent", reason=problem)

    async def watch(self) -> None:
        """Look the backends up, and begin to check them.  Raises StartFailed."""
        settings, loop = self._settings, asyncio.get_running_loop()
        if settings.tls_certificate:
            self._tls = server_context(settings.tls_certificate, settings.tls_key)
            self.certificate_expires_at = expires_at(settings.tls_certificate)
        raise_file_limit(
            2 * (settings.max_client_connections + settings.max_backend_connections) + _SPARE_FILES
        )
        # Resolved before the first client can come, so that it does not meet an empty list.
        await self._resolver.resolve()
        if self.proxy.limiter is not None:
            await self.proxy.limiter.start()
        self._tasks = [
            loop.create_task(self._resolver.run()), loop.create_task(self._sweep())
        ]  # fmt: skip

    async def first_checks(self) -> None:
        """Wait until each backend was checked, or had the time for it.

        A process that takes clients before would answer 503 while its siblings have ready backends.
        """
        proxy = self.proxy
        give_up = proxy.clock() + self._settings.check_timeout_s
        while any(backend.check is None for backend in proxy.backends.by_id.values()):
            if proxy.clock() >= give_up:
                break
            await asyncio.sleep(0.005)

    async def listen(self, slot: int, sock: socket.socket) -> None:
        """Take clients from a listening socket, until ignore() for the same slot, or stop()."""
        if slot in self._servers or self.proxy.draining:
            return
        tls = self._tls
        if self._settings.proxy_protocol == "require":
            self._servers[slot] = self._arrivals.listen(
                sock.dup(), tls, tls_shutdown_timeout_s=_TLS_SHUTDOWN_S
            )
            return
        self._servers[slot] = await asyncio.get_running_loop().create_server(
            lambda: ClientConnection(self.proxy),
            sock=sock.dup(),  # it is closed with the server; `sock` may be needed again
            ssl=tls,
            ssl_handshake_timeout=self._settings.header_timeout_s if tls else None,
            ssl_shutdown_timeout=_TLS_SHUTDOWN_S if tls else None,
        )

    def ignore(self, slot: int) -> None:
        """Take no more clients from the socket: those in its queue are for another process."""
        server = self._servers.pop(slot, None)
        if server is not None:
            server.close()

    def decide(self, decisions: Decisions) -> None:
        """Do what the operator decided, also with backends that are found later."""
        self._decisions = decisions
        backends = self.proxy.backends
        if decisions.strategy not in {None, backends.strategy}:
            backends.strategy = decisions.strategy
        for backend in tuple(backends.by_id.values()):
            self._obey(backend)

    def _obey(self, backend: Backend) -> None:
        change = self._decisions.backends.get(backend.id)
        if change is not None:
            self.proxy.backends.change(backend, mode=change.state, weight=change.weight)

    async def stop(self) -> None:
        """Accept nothing new, finish what is in flight, and close; hard after the drain timeout.

        An idle connection is kept a little: a request may be on its way on it.
        """
        proxy, settings = self.proxy, self._settings
        for slot in tuple(self._servers):
            self.ignore(slot)
        proxy.drain()
        began = proxy.clock()
        # Connections within their TLS handshake are not among the clients yet.
        arriving_until = began + (settings.drain_idle_s if self._tls else _SWEEP_S / 10)
        handing_over = self._arrivals.handing_over
        while proxy.clients or handing_over or proxy.clock() < arriving_until:
            if proxy.clock() >= began + settings.drain_timeout_s:
                self._log.warning("drain timed out", active=proxy.counters.active)
                break
            await asyncio.sleep(0.01)
        for client in tuple(proxy.clients):
            client.abort()
        await self._arrivals.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._checker.stop()
        if proxy.limiter is not None:
            await proxy.limiter.stop()
        proxy.backends.close_idle()
        if proxy.tracing is not None:
            await asyncio.to_thread(proxy.tracing.stop)
        await asyncio.sleep(0)  # so that the transports tell that they are closed
        self._access_log.close()
        self._log.info("stopped")

    async def _sweep(self) -> None:
        while True:
            self.proxy.sweep()
            await asyncio.sleep(_SWEEP_S)

    def _backend_silent(self, backend: Backend) -> None:
        self.proxy.backend_silent(backend)

    def _backend_changed(self, backend: Backend, change: Change) -> None:
        emit = self._events.emit
        if change == "added":
            self._states[backend] = backend.state, backend.mode
            emit("backend_added", "it is listed", backend=backend.id)
            self._obey(backend)
            self._checker.watch(backend)
        elif change == "removed":
            self._checker.forget(backend)
            del self._states[backend]
            emit("backend_removed", "it is not listed any more", backend=backend.id)
        elif backend.id in self.proxy.backends.by_id:  # else its removal is told at once
            (_, mode), state = self._states[backend], backend.state
            self._states[backend] = state, backend.mode
            match state:
                case "ready":
                    cause = "it passes its checks" if mode == "ready" else _DECIDED
                    emit("backend_ready", cause, backend=backend.id)
                case "ejected":
                    emit("backend_ejected", backend.health.reason, backend=backend.id)
                case _:
                    cause = backend.health.reason if backend.mode == "ready" else _DECIDED
                    emit("backend_taken_out", cause, backend=backend.id, state=state)

    def _panicked(self, began: bool) -> None:
        if began:
            self._events.emit("panic_began", "too few backends are ready: ejected ones are used")
        else:
            self._events.emit("panic_ended", "enough backends are ready")


async def _serve(settings: BalancerSettings, channel: Channel, slots: list[socket.socket]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # A terminal sends it to all; to reload is the parent's affair.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        balancer = Balancer(settings)
        await balancer.watch()
    except StartFailed as error:
        channel.send({"failed": str(error)})
        return
    await balancer.first_checks()
    channel.send(
        {
            "backends_ready": len(balancer.proxy.backends.ready),
            "drain_timeout_s": settings.drain_timeout_s,
            "fixed": settings.fixed,
            "certificate_expires_at": balancer.certificate_expires_at,
        }
    )
    answers = Answers(balancer, slots)
    # Its end means that the parent is gone, and with it whoever would stop us.
    conversation = loop.create_task(answers.converse(channel))
    conversation.add_done_callback(lambda _: stopping.set())
    await stopping.wait()
    channel.send({"leaving": True})
    # Should the parent be gone, the address must be free for the next one.
    for sock in slots:
        sock.close()
    await balancer.stop()
    channel.send({"farewell": samples(balancer.proxy)})
    conversation.cancel()
    (outcome,) = await asyncio.gather(conversation, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


async def _serve_for(parent: socket.socket, slots: list[socket.socket]) -> None:
    channel = await Channel.over(parent)
    try:
        settings = load(processes=len(slots))
    except (ValidationError, OSError) as error:
        channel.send({"failed": " ".join(complaints(error))})
    else:
        logs.configure(settings.log_level, settings.log_format)
        await _serve(settings, channel, slots)
    await channel.close()


def main(descriptors: str) -> int:
    """Serve until SIGTERM or the parent's end; `descriptors`: the channel's, then the sockets'."""
    parent, *slots = (socket.socket(fileno=int(number)) for number in descriptors.split(","))
    with suppress(KeyboardInterrupt):
        uvloop.run(_serve_for(parent, slots))
    return 0

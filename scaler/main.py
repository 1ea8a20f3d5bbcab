"""Builds the scaler, runs it, and stops it in order."""

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from scaler.demand import DemandMeter
from scaler.docker.driver import DockerDriver
from scaler.docker.engine import Engine
from scaler.driver import Advise, Driver
from scaler.events import Events
from scaler.metrics import ScalerMetrics
from scaler.policy import Policy
from scaler.reader import Reader
from scaler.scaler import Scaler
from scaler.settings import ScalerSettings
from tasks.client import connect
from tasks.errors import QueueError
from tasks.scaling import ScalerSeat
from tasks.settings import QueueSettings
from telemetry.logs import configure_logs
from telemetry.metrics_server import CannotListen, MetricsServer

BAD_SETTINGS = 2
PATIENCE_S = 55.0  # of an ending scaler, for workers that are leaving; compose gives it a minute

_STOPS = {signal.SIGTERM, signal.SIGINT}
_log = structlog.get_logger(__name__)


class Aside:
    """Runs what takes long in threads of their own, and can be waited for."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def __call__(self, work: Callable[[], None]) -> None:
        """Begin with it; returns at once.  For one thread."""
        self._threads = [one for one in self._threads if one.is_alive()]
        thread = threading.Thread(target=work, name="aside", daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all is done; False if that took too long."""
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


def main() -> int:
    """Run the scaler until SIGTERM or SIGINT; return the exit code.  2: the settings are wrong."""
    try:
        settings, queue = ScalerSettings(), QueueSettings()
    except ValidationError as error:
        print(f"scaler: {_in_one_line(error)}", file=sys.stderr)  # noqa: T201 - no log yet
        return BAD_SETTINGS
    configure_logs(settings.log_level, settings.log_format)
    # waited for, not handled: a handler might run while its own thread holds a lock
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    registry = CollectorRegistry()
    events, aside = Events(registry), Aside()
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    client = connect(queue, f"millrace/scaler-{name}")
    policy = policy_of(settings)
    metrics = ScalerMetrics(registry, policy)
    scaler = Scaler(
        ScalerSeat(client, name, settings.lease_s),
        Reader(client).read,
        driver_of(settings, aside, events, metrics),
        policy,
        DemandMeter(settings.window_s),
        metrics,
        events.emit,
    )
    if settings.metrics_listen != "off":
        try:
            server = MetricsServer(settings.metrics_listen, registry, scaler.health)
        except CannotListen as error:
            print(f"scaler: MILLRACE_SCALER_METRICS_LISTEN: {error}", file=sys.stderr)  # noqa: T201
            return BAD_SETTINGS
        server.start()
        _log.info("metrics served", address=server.address)
    stopping = threading.Event()
    thread = threading.Thread(
        target=_rounds, args=(scaler, settings.interval_s, stopping), name="scaler", daemon=True
    )
    thread.start()
    received = signal.sigwait(_STOPS)
    events.emit("scaler_stopping", signal.Signals(received).name)
    stopping.set()
    end = time.monotonic() + PATIENCE_S
    thread.join(PATIENCE_S)
    try:
        scaler.leave()
    except QueueError as error:
        _log.info("left without notice", error=str(error))
    if not aside.wait(max(0.0, end - time.monotonic())):
        _log.warning("workers are still leaving")
    return 0


def policy_of(settings: ScalerSettings) -> Policy:
    """Return bounds and pace."""
    return Policy(
        minimum=settings.min_workers,
        maximum=settings.max_workers,
        target_utilisation=settings.target_utilisation,
        drain_s=settings.drain_s,
        stabilise_s=settings.stabilise_s,
        step_up=settings.step_up,
        step_down=settings.step_down,
        join_s=settings.join_s,
    )


def driver_of(
    settings: ScalerSettings, aside: Aside, events: Events, metrics: ScalerMetrics
) -> Driver:
    """Return what makes it so, or says what should be done."""
    if settings.driver == "advise":
        return Advise()

    def failed(cause: str, again: bool) -> None:
        metrics.failed()
        if not again:
            events.emit("scaling_failed", cause, driver=settings.driver)

    return DockerDriver(
        Engine(settings.docker_socket, settings.docker_timeout_s),
        hostname=socket.gethostname(),
        project=settings.project,
        service=settings.service,
        aside=aside,
        on_failure=failed,
    )


def _rounds(scaler: Scaler, interval_s: float, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            scaler.round()
        except Exception:  # noqa: BLE001 - a defect shows, and the rounds go on
            _log.exception("round failed")
        stopping.wait(interval_s)


def _in_one_line(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
    ]
    return "; ".join(problems)

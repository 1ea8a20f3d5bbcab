"""Builds the parent: sockets, processes, the admin address; runs it, and ends it in order."""

import argparse
import asyncio
import random
import signal
import socket
import sys
from collections.abc import Sequence

import structlog
import uvloop
from pydantic import ValidationError

from lb import logs
from lb.admin.routes import Routes
from lb.admin.server import AdminServer
from lb.errors import StartFailed
from lb.listening import listen
from lb.processes.child import Child
from lb.processes.parent import Parent
from lb.processes.slots import open_slots
from lb.request_id import request_ids
from lb.settings import BalancerSettings, complaints, load


async def _lead(
    settings: BalancerSettings, slots: Sequence[socket.socket], admin_socket: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    stopping, reload_wanted = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, reload_wanted.set)
    log = structlog.get_logger("lb")

    async def spawn(slot: int) -> Child:
        return await Child.spawn(slot, slots, parent.left, parent.farewell)

    parent = Parent(spawn, len(slots), settings.fixed)
    routes = Routes(parent.fleet, overview=lambda: parent.overview, token=settings.operators_token)
    admin = AdminServer(admin_socket, routes, request_ids(random.SystemRandom().getrandbits))

    async def run() -> None:
        await parent.start()
        await admin.start()
        log.info(
            "listening",
            address=_text(slots[0]), admin=_text(admin_socket), processes=len(slots),
        )  # fmt: skip
        while True:
            await reload_wanted.wait()
            # One that comes during a reload is for what it may have been too early to read.
            reload_wanted.clear()
            await parent.reload()

    running = loop.create_task(run())
    ending = loop.create_task(stopping.wait())
    await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    running.cancel()
    (ended,) = await asyncio.gather(running, return_exceptions=True)
    await parent.stop()
    await admin.stop()
    if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
        raise ended
    log.info("stopped")


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m lb", description="The load balancer. docs/balancer.md describes its settings."
    )
    parser.add_argument("--processes", type=int, metavar="N", help="how many processes serve")
    given = {
        key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None
    }
    try:
        settings = load(**given)
    except (ValidationError, OSError) as error:
        for line in (*complaints(error), "docs/balancer.md describes each setting."):
            print(f"lb: {line}", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure(settings.log_level, settings.log_format)
    try:
        slots = open_slots(settings.listen_address, settings.processes)
        admin = listen(settings.admin_address, "MILLRACE_LB_ADMIN_LISTEN")
        uvloop.run(_lead(settings, slots, admin))
    except StartFailed as error:
        print(f"lb: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _text(sock: socket.socket) -> str:
    host, port, *_ = sock.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

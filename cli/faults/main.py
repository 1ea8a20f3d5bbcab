"""The program of the proxies: `python -m cli.faults --control PATH --proxy NAME FROM TO …`."""

import argparse
import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CommandError
from cli.faults.control_server import ControlServer
from cli.faults.endpoint import Endpoint, Listener
from cli.faults.proxy import Proxy


@dataclass(frozen=True)
class Place:
    """A proxy's name, where it listens, and the server behind it."""

    name: str
    listen: Endpoint
    server: Endpoint


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cli.faults", description=__doc__)
    parser.add_argument("--control", required=True, metavar="PATH")
    parser.add_argument(
        "--proxy", required=True, nargs=3, action="append", metavar=("NAME", "FROM", "TO")
    )
    given = parser.parse_args(arguments)
    try:
        places = [
            Place(name, Endpoint.parse(listen), Endpoint.parse(server))
            for name, listen, server in given.proxy
        ]
        asyncio.run(_run(Endpoint.parse(f"unix:{given.control}"), places))
    except CommandError as error:
        sys.stderr.write(f"faults: {error}\n")
        return error.exit_code
    return 0


async def _run(control: Endpoint, places: Sequence[Place]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    rng = random.Random()  # noqa: S311 - jitter and noise, no secrets
    # its own folder: nothing but its sockets lies there
    folder = Path(control.path).parent
    folder.mkdir(mode=0o700, exist_ok=True)
    async with contextlib.AsyncExitStack() as open_things:
        open_things.callback(_remove, folder)
        proxies = {}
        for place in places:
            proxy = Proxy(place.listen, place.server, rng=rng)
            open_things.push_async_callback(proxy.close)
            proxy.open()
            proxies[place.name] = proxy
        listener = Listener(control)
        open_things.callback(listener.close)
        answering = asyncio.start_unix_server(ControlServer(proxies).serve, sock=listener.open())
        server = await answering
        open_things.callback(server.close)
        await stopped.wait()


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else's files are in it
        folder.rmdir()

"""Keeps the list of backends what names say now."""

import asyncio
import socket
from collections.abc import Sequence

import structlog

from lb.backend.backends import Backends
from lb.backend.source import Address, Source


class Resolver:
    """Looks names up each interval, whatever their time to live: so new replicas are found.

    A name that can't be looked up keeps the addresses that it had; a failing name server must not
    take working backends away.
    """

    def __init__(self, sources: Sequence[Source], backends: Backends, *, interval_s: float) -> None:
        self._sources = sources
        self._backends = backends
        self._interval_s = interval_s
        self._last: dict[Source, tuple[Address, ...]] = {}
        self._log = structlog.get_logger("lb")

    async def run(self) -> None:
        """Resolve now, and then on and on if there is a name among the sources."""
        await self.resolve()
        while any(source.resolve for source in self._sources):
            await asyncio.sleep(self._interval_s)
            await self.resolve()

    async def resolve(self) -> None:
        """Bring the list of backends up to date."""
        found: list[Address] = []
        for source in self._sources:
            found += await self._addresses(source) if source.resolve else [source.address]
        self._backends.update(found)

    async def _addresses(self, source: Source) -> tuple[Address, ...]:
        name, port = source.address.host, source.address.port
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(
                name, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            if self._last.get(source) is not None:
                self._log.warning("name not resolved", name=name, error=str(error))
            return self._last.get(source, ())
        addresses = {Address(str(info[4][0]), port) for info in infos}
        self._last[source] = tuple(sorted(addresses, key=lambda address: address.host))
        return self._last[source]

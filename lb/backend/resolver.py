"""Keeps the list of backends what names and files say now."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

import structlog

from lb.backend.backends import Backends
from lb.backend.list_file import WatchedFile
from lb.backend.source import Address, Listed, ListFile, Name, Source

# Returns the addresses of a name.  Raises OSError when they cannot be found.
LookUp = Callable[[str], Awaitable[set[str]]]


class Resolver:
    """Looks names up each interval, whatever their time to live: so new replicas are found.

    A name that can't be looked up keeps the addresses that it had; a failing name server must not
    take working backends away.  Files are looked at in the same rhythm.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        backends: Backends,
        *,
        interval_s: float,
        look_up: LookUp | None = None,
    ) -> None:
        self._sources = sources
        self._backends = backends
        self._interval_s = interval_s
        self._look_up = look_up or _look_up
        self._files = {
            source: WatchedFile(source.path) for source in sources if isinstance(source, ListFile)
        }
        self._last: dict[Name, tuple[Listed, ...]] = {}
        self._unresolved: set[Name] = set()
        self._log = structlog.get_logger("lb")

    async def run(self) -> None:
        """Go on and on, if there is a name or a file among the sources."""
        while not all(isinstance(source, Listed) for source in self._sources):
            await asyncio.sleep(self._interval_s)
            await self.resolve()

    async def resolve(self) -> None:
        """Bring the list of backends up to date."""
        # All at once: a name whose server is slow must not hold up the others.
        lists = await asyncio.gather(*(self._listed(source) for source in self._sources))
        found: dict[Address, int] = {}
        for listed in (listed for part in lists for listed in part):
            found.setdefault(listed.address, listed.weight)
        self._backends.update(found)

    async def _listed(self, source: Source) -> tuple[Listed, ...]:
        if isinstance(source, Listed):
            return (source,)
        if isinstance(source, ListFile):
            # In a thread: a file on a network may take long.
            return await asyncio.to_thread(self._files[source].read)
        return await self._addresses(source)

    async def _addresses(self, source: Name) -> tuple[Listed, ...]:
        name, port = source.address.host, source.address.port
        try:
            hosts = sorted(await self._look_up(name))
        except (OSError, UnicodeError) as error:
            if source not in self._unresolved:  # once, and not each second
                self._unresolved.add(source)
                self._log.warning("name not resolved", name=name, error=str(error))
            return self._last.get(source, ())
        self._unresolved.discard(source)
        self._last[source] = tuple(Listed(Address(host, port), source.weight) for host in hosts)
        return self._last[source]


async def _look_up(name: str) -> set[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return {str(info[4][0]) for info in infos}

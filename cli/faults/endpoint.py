"""Where a proxy listens, and where the server behind it does: a TCP port or a Unix socket."""

import asyncio
import contextlib
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CommandError

UNIX_PATH_LIMIT = 107  # sun_path on Linux, less its closing zero
BACKLOG = 512


class EndpointUnusable(CommandError):
    """An endpoint cannot be read, or nothing can listen there."""


@dataclass(frozen=True)
class Endpoint:
    """`unix:PATH` or `tcp:HOST:PORT`; port 0, to listen: any that is free."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read an endpoint.  Raises EndpointUnusable."""
        kind, _, place = text.partition(":")
        host, _, port = place.rpartition(":")
        if kind == "unix" and place:
            if len(os.fsencode(place)) > UNIX_PATH_LIMIT:
                raise EndpointUnusable(
                    f"The socket path {place} is longer than {UNIX_PATH_LIMIT} bytes. "
                    "Choose a folder with a shorter path."
                )
            return cls(path=place)
        if kind == "tcp" and host and port.isdigit() and int(port) < 65536:
            return cls(host=host.strip("[]"), port=int(port))
        raise EndpointUnusable(f"{text!r} is no endpoint: give unix:PATH or tcp:HOST:PORT.")

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"tcp:{self.host}:{self.port}"

    async def connect(self) -> socket.socket:
        """Return a non-blocking connection.  Raises OSError."""
        made = socket.socket(self._family())
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, self._address())
            made.getpeername()  # a full backlog of a Unix socket looks like success until here
            prepare(made)
        except BaseException:
            made.close()
            raise
        return made

    def _family(self) -> socket.AddressFamily:
        if self.path:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def _address(self) -> "str | tuple[str, int]":
        return self.path or (self.host, self.port)


class Listener:
    """A listening socket that can be shut and opened again at the same place."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Take the place; nobody is let in yet.  Raises EndpointUnusable."""
        self.endpoint = endpoint
        self._open: socket.socket | None = None
        self._place: socket.socket | None = None
        if endpoint.path:
            return
        # A socket that is bound and does not listen: connecting is refused by the kernel, and the
        # port stays ours meanwhile.
        try:
            self._place = self._bound(endpoint)
        except OSError as error:
            raise EndpointUnusable(
                f"{endpoint} cannot be listened on: {error.strerror}."
            ) from error
        self.endpoint = Endpoint(host=endpoint.host, port=self._place.getsockname()[1])

    def open(self) -> socket.socket:
        """Return the listening socket.  Raises EndpointUnusable."""
        if self._open is None:
            try:
                self._open = self._listening()
            except OSError as error:
                raise EndpointUnusable(
                    f"{self.endpoint} cannot be listened on: {error.strerror}."
                ) from error
        return self._open

    def shut(self) -> None:
        """Refuse new connections, those that nobody has accepted yet included."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def close(self) -> None:
        """Give the place up."""
        self.shut()
        if self._place is not None:
            self._place.close()
        if self.endpoint.path:
            Path(self.endpoint.path).unlink(missing_ok=True)

    def _listening(self) -> socket.socket:
        if not self.endpoint.path:
            made = self._bound(self.endpoint)
            made.listen(BACKLOG)
            return made
        made = socket.socket(socket.AF_UNIX)
        # renamed into its place, so that there never is a moment without a socket file
        path = Path(self.endpoint.path)
        beside = path.with_name(".n")
        beside.unlink(missing_ok=True)
        made.bind(str(beside))
        made.listen(BACKLOG)
        made.setblocking(False)
        beside.chmod(0o700)
        beside.replace(path)
        return made

    @staticmethod
    def _bound(endpoint: Endpoint) -> socket.socket:
        made = socket.socket(endpoint._family())  # noqa: SLF001 - its own module
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((endpoint.host, endpoint.port))
        return made


def prepare(connection: socket.socket) -> None:
    """Make a connection fit for handing bytes on as they come."""
    connection.setblocking(False)
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reset(connection: socket.socket) -> None:
    """Close without a goodbye: the other side of a TCP connection gets an RST."""
    if connection.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()

"""Connections from proxies that speak the PROXY protocol, from accept to ClientConnection."""

import asyncio
import socket
import ssl

import structlog

from lb.client.arrival import Arrival, Fault
from lb.client.connection import ClientConnection
from lb.client.proxied_listener import ProxiedListener
from lb.proxy import Proxy


class Arrivals:
    """Accepts, reads headers, and hands over: the sockets, and the addresses they are from.

    asyncio's own servers would begin TLS, or read, before the header is off the socket.
    """

    def __init__(self, proxy: Proxy, log: structlog.typing.FilteringBoundLogger) -> None:
        self._proxy = proxy
        self._log = log
        # `clients` of the proxy holds a connection before and after, but not within.
        self.handing_over: set[asyncio.Task[None]] = set()

    def listen(
        self, sock: socket.socket, tls: ssl.SSLContext | None, *, tls_shutdown_timeout_s: float
    ) -> ProxiedListener:
        """Take connections from a listening socket, until close(), which closes it too."""

        def arrived(accepted: socket.socket, client: str) -> None:
            task = asyncio.get_running_loop().create_task(
                self._hand_over(accepted, client, tls, tls_shutdown_timeout_s)
            )
            self.handing_over.add(task)
            task.add_done_callback(self.handing_over.discard)

        def accepted(taken: socket.socket, peer: str) -> None:
            proxy = self._proxy
            if not proxy.client_addresses.trusts(peer):
                self._refused(peer, "untrusted")
                taken.close()
            # Beyond the limit, clients are told so by ClientConnection; beyond twice, there may be
            # no file descriptors to read headers from.
            elif len(proxy.clients) >= 2 * proxy.settings.max_client_connections:
                proxy.counters.connections_refused += 1
                taken.close()
            else:
                Arrival(proxy, taken, peer, arrived, self._refused)

        return ProxiedListener(sock, accepted, self._log)

    async def stop(self) -> None:
        """End what is within its TLS handshake."""
        for task in self.handing_over:
            task.cancel()
        await asyncio.gather(*self.handing_over)

    async def _hand_over(
        self, sock: socket.socket, client: str, tls: ssl.SSLContext | None, shutdown_s: float
    ) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: ClientConnection(self._proxy, client),
                sock,
                ssl=tls,
                ssl_handshake_timeout=self._proxy.settings.header_timeout_s if tls else None,
                ssl_shutdown_timeout=shutdown_s if tls else None,
            )
        except (OSError, asyncio.CancelledError):
            # It left, or what it speaks is not TLS; or stop().
            sock.close()

    def _refused(self, peer: str, fault: Fault) -> None:
        self._proxy.counters.proxy_protocol_refused[fault] += 1
        self._log.debug("PROXY protocol refused", peer=peer, reason=fault)

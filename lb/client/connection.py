"""One client's connection: requests in, answers out, one after the other."""

import asyncio
from typing import cast

from lb.backend.backend import Backend
from lb.client.departure import has_departed
from lb.client.exchange import Exchange
from lb.client.pause import Pause
from lb.client_address import canonical
from lb.proxy import Proxy
from lb.wire.problem import Problem, serialise
from lb.wire.request import Request
from lb.wire.request_reader import RequestReader

# One read may hold ten thousand tiny requests; in slices, they wait as bytes and not as objects.
_SLICE_BYTES = 16384
# So much of the next requests is taken in while one is in flight.  Were reading paused at once,
# the departure of a client that pipelines could not be seen.
_STASH_BYTES = 65536
# How long a client may go on sending after the last answer.  Were the connection closed with
# unread bytes, the reset could overtake the answer.
_LINGER_S = 2.0


class ClientConnection(asyncio.Protocol):
    """Pipelined requests are answered in order: the next starts when the one before is over.

    `peer`: the address that a PROXY protocol header told; else it is the socket's.
    """

    __slots__ = (
        "_advancing", "_deadline", "_exchange", "_head_began", "_lingering", "_peer",
        "_proxy", "_reader", "_scheme", "_stash", "_transport", "address", "forwarding",
        "is_stalled", "is_trusted", "key", "pauses",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, peer: str = "") -> None:
        settings = proxy.settings
        self._proxy = proxy
        self._reader = RequestReader(
            max_line=settings.max_request_line_bytes,
            max_head=settings.max_header_bytes,
            max_body=settings.max_body_bytes,
            streams=proxy.stream_paths.include,
        )
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._stash = b""
        self.pauses = 0
        self._advancing = False
        self._head_began = False
        self._lingering = False
        self._deadline = proxy.now + settings.client_idle_timeout_s
        self._peer = peer
        self._scheme = b"http"
        self.address = ""
        self.key = ""
        self.forwarding = b""
        self.is_stalled = False
        self.is_trusted = False

    # ---- for the exchange

    def write(self, data: bytes) -> None:
        """Send a part of an answer."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def identify(self, request: Request) -> None:
        """Be the client whom this trusted proxy's request comes from, until its next request."""
        self.address, self.key, self.forwarding, host = self._proxy.client_addresses.forwarded(
            self._peer, self._scheme, request.head.claims
        )
        if host is not None:
            request.host = host

    def exchange_over(self, *, close: bool) -> None:
        """Go on with the next request, or end the connection."""
        self._exchange = None
        if self.pauses:
            self.resume_reading(Pause.BACKEND)
        if close:
            self._end()
            return
        self._head_began = False
        self._deadline = self._proxy.now + self._proxy.settings.client_idle_timeout_s
        if self._reader.requests or self._stash or self._reader.refusal is not None:
            self._advance()
        if self._proxy.draining:
            self.drain()

    def pause_reading(self, reason: int) -> None:
        """Take nothing from the client until resume_reading() for the same reason."""
        transport = self._transport
        if not self.pauses and transport is not None and not transport.is_closing():
            transport.pause_reading()
        self.pauses |= reason

    def resume_reading(self, reason: int) -> None:
        """Take `reason` away; read when it was the last."""
        if self.pauses & reason:
            self.pauses &= ~reason
            transport = self._transport
            if not self.pauses and transport is not None and not transport.is_closing():
                transport.resume_reading()

    # ---- for the drain and the sweep

    def backend_silent(self, backend: Backend) -> None:
        """Tell the request, if there is one."""
        if self._exchange is not None:
            self._exchange.backend_silent(backend)

    def check(self, now: float) -> None:
        """End what has taken too long, and what nobody waits for any more."""
        if self.pauses and self._transport is not None and has_departed(self._transport):
            self.abort()
            return
        if self._exchange is not None:
            self._exchange.check(now)
        elif now >= self._deadline:
            if self._lingering or self.is_stalled:
                self.abort()
            elif self._reader.is_between_requests:
                self._close()
            else:
                self._refuse(
                    Problem(
                        408, "request-timeout", "The request took too long to arrive",
                        f"The head was not complete within "
                        f"{self._proxy.settings.header_timeout_s:g} s. Send it at once.",
                    )
                )  # fmt: skip

    def drain(self) -> None:
        """Let the answer in flight, or to the next request that comes soon, be the last.

        Not closed at once while idle: a request may be on its way, and would be lost.
        """
        if self._exchange is None and not self._lingering and self._reader.is_between_requests:
            proxy = self._proxy
            self._deadline = min(self._deadline, proxy.now + proxy.settings.drain_idle_s)

    def abort(self, *, flush: bool = False) -> None:
        """Close at once, or when what is written has gone out.

        The latter for chunks without their end: the client reads all that there is, and knows.
        """
        if self._transport is not None:
            self._transport.close() if flush else self._transport.abort()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; refuse when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        proxy = self._proxy
        if not self._peer:
            # A client that was gone before it was accepted has no address any more.
            peer = transport.get_extra_info("peername")
            self._peer = canonical(str(peer[0])) if peer else "::"
        if transport.get_extra_info("sslcontext") is not None:
            self._scheme = b"https"
        addresses = proxy.client_addresses
        self.is_trusted = addresses.trusts(self._peer)
        self.address, self.key, self.forwarding, _ = addresses.direct(self._peer, self._scheme)
        if len(proxy.clients) >= proxy.settings.max_client_connections:
            proxy.counters.connections_refused += 1
            self._refuse(
                Problem(
                    503, "too-many-connections", "Too many connections",
                    "MILLRACE_LB_MAX_CLIENT_CONNECTIONS are open. Come back later, and keep "
                    "connections open between requests.", retry_after_s=1,
                )
            )  # fmt: skip
        proxy.clients.add(self)
        if proxy.draining:
            self.drain()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the request in flight, or of the next ones."""
        if self._lingering:
            return
        exchange = self._exchange
        if exchange is None and not self.is_stalled:
            request = self._reader.whole(data)
            if request is not None:
                self._exchange = exchange = Exchange(self._proxy, self, request)
                exchange.start()
                return
        if self.is_stalled if exchange is None else exchange.request.complete:
            self._stash += data
            if len(self._stash) > _STASH_BYTES:
                self.pause_reading(Pause.STASH)
            return
        self._feed(data)
        if exchange is not None:
            exchange.body_arrived()
            refusal = self._reader.refusal
            if refusal is not None and self._exchange is exchange and not exchange.request.complete:
                exchange.fail(refusal)
        self._advance()

    def pause_writing(self) -> None:
        """Stop taking the answer from the backend: the client is slower."""
        self.is_stalled = True
        self._deadline = self._proxy.now + self._proxy.settings.body_idle_timeout_s
        if self._exchange is not None:
            self._exchange.pause_receiving()

    def resume_writing(self) -> None:
        """Go on taking the answer."""
        self.is_stalled = False
        if self._exchange is not None:
            self._exchange.resume_receiving()
        else:
            self._advance()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Give up the request in flight, so that its replica may notice too."""
        self._transport = None
        self._proxy.clients.discard(self)
        self._reader.requests.clear()
        self._stash = b""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    # ---- inside

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        if len(data) <= _SLICE_BYTES:
            reader.feed(data)
            return
        position = 0
        # The second request in the queue means that the first is complete.
        while position < len(data) and len(reader.requests) < 2:
            reader.feed(data[position : position + _SLICE_BYTES])
            position += _SLICE_BYTES
        self._stash = data[position:]

    def _advance(self) -> None:
        """Start requests until one has to wait for its backend.

        A loop, not a recursion: a thousand pipelined requests may all be refused at once.
        """
        if self._advancing:
            return
        self._advancing = True
        reader = self._reader
        while self._exchange is None and not self._lingering and not self.is_stalled:
            if self._transport is None:
                break
            if reader.requests:
                request = reader.requests.popleft()
                if self.is_trusted:
                    self.identify(request)
                self._exchange = exchange = Exchange(self._proxy, self, request)
                exchange.start()
                # Its head and a fault of its body may have come in one read.
                refusal = reader.refusal
                if refusal is not None and not request.complete and self._exchange is exchange:
                    exchange.fail(refusal)
            elif reader.refusal is not None:
                self._refuse(reader.refusal)
            elif self._stash:
                stash, self._stash = self._stash, b""
                self._feed(stash)
                if len(self._stash) <= _STASH_BYTES:
                    self.resume_reading(Pause.STASH)
            else:
                if not self._head_began and not reader.is_between_requests:
                    self._head_began = True
                    self._deadline = self._proxy.now + self._proxy.settings.header_timeout_s
                break
        self._advancing = False

    def _refuse(self, problem: Problem) -> None:
        """Answer what did not become a request, and end."""
        proxy = self._proxy
        request_id = proxy.next_request_id()
        proxy.counters.own_answers[problem.status // 100] += 1
        self.write(serialise(problem, request_id, close=True))
        if proxy.access_log.takes(problem.status):
            proxy.access_log.write(
                request_id=request_id, client=self.address, method=b"-", target=b"-",
                status=problem.status, sent=0, seconds=0.0, backend=None, retries=0,
            )  # fmt: skip
        self._end()

    def _end(self) -> None:
        """End after what is written; the client's own end, or a deadline, finishes it."""
        self._lingering = True
        self._deadline = self._proxy.now + (
            self._proxy.settings.body_idle_timeout_s if self._unsent else _LINGER_S
        )
        self._reader.requests.clear()
        self._stash = b""
        self.resume_reading(Pause.STASH)
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()  # TLS ends both ways at once, after what is written

    @property
    def _unsent(self) -> int:
        """Bytes of answers that the client hasn't taken."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return 0
        return transport.get_write_buffer_size()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

"""A request: its vetted head, and its body as it arrives."""

from lb.wire.request_head import RequestHead


class Request:
    """The body arrives in `parts`; `host` is what the replica is told that the client named."""

    __slots__ = ("bodiless", "complete", "head", "host", "parts", "received")

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.host = head.host
        self.parts: list[bytes] = []
        self.received = 0
        self.complete = self.bodiless = not head.content_length and not head.chunked

    def take(self) -> bytes:
        """Return the part of the body that has arrived since the last call, as it is sent on.

        Chunked bodies come re-chunked, the last chunk included; trailers are dropped.
        """
        body = b"".join(self.parts)
        self.parts.clear()
        if not self.head.chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk + b"0\r\n\r\n" if self.complete else chunk

    def serialise(self, forwarding: bytes, request_id: bytes, fields: bytes = b"") -> bytes:
        """Return the head as backends get it.

        `forwarding` ends where the host that the client named is put; `fields` are further
        header lines, each ended by CRLF.
        """
        head = self.head
        return b"%b%b%b\r\nX-Request-ID: %b\r\n%b%b" % (
            head.start, forwarding, self.host, request_id, fields, head.end,
        )  # fmt: skip

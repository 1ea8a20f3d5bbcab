"""What a backend answers: framing, interim answers, faults, and fields of one hop only."""

from tests.conformance.case import Case, Reply, answered, get, post

HEAD_OF_ROOT = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\n"


def _ok(*fields: bytes, body: bytes = b"") -> bytes:
    return _OK + b"".join(line + b"\r\n" for line in fields) + b"\r\n" + body


def _with_length(*fields: bytes) -> bytes:
    return _ok(*fields, b"Content-Length: 3", body=b"abc")


def _in_chunks(*fields: bytes, body: bytes = b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") -> bytes:
    return _ok(*fields, b"Transfer-Encoding: chunked", body=body)


FRAMING: tuple[Case, ...] = (
    answered("a length", _with_length(), 200, body=b"abc", has=(b"content-length: 3",)),
    answered("chunks", _in_chunks(), 200, body=b"abc", has=(b"transfer-encoding: chunked",)),
    answered("the end of the connection", _ok(body=b"abc"), 200, body=b"abc", then="close"),
    answered("the end of the connection, to HTTP/1.0", _ok(body=b"abc"), 200, body=b"abc",
             send=OLD, then="close", closed=True, has_not=(b"transfer-encoding",)),
    answered("chunks, to HTTP/1.0", _in_chunks(), 200, body=b"abc", send=OLD, closed=True,
             has_not=(b"transfer-encoding",)),
    answered("an old backend with a length", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
             200, body=b"abc", then="close"),
    answered("an old backend without a length", b"HTTP/1.0 200 OK\r\n\r\nabc", 200, body=b"abc",
             then="close"),
    answered("an old backend that keeps", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
             b"Content-Length: 3\r\n\r\nabc", 200, body=b"abc"),
    answered("a length of 0", _ok(b"Content-Length: 0"), 200, body=b""),
    answered("an empty body in chunks", _in_chunks(body=b"0\r\n\r\n"), 200, body=b""),
    answered("a length byte by byte", tuple(bytes([byte]) for byte in _with_length()), 200,
             body=b"abc"),
    answered("chunks byte by byte", tuple(bytes([byte]) for byte in _in_chunks()), 200,
             body=b"abc"),
    answered("a length to HEAD", _ok(b"Content-Length: 300"), 200, body=b"", send=HEAD_OF_ROOT,
             has=(b"content-length: 300",)),
    answered("chunks to HEAD", _ok(b"Transfer-Encoding: chunked"), 200, body=b"",
             send=HEAD_OF_ROOT),
    answered("neither to HEAD", _ok(), 200, body=b"", send=HEAD_OF_ROOT),
    answered("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, body=b"",
             has_not=(b"content-length", b"transfer-encoding")),
    answered("204 with a length of 0", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
             204, body=b"", has_not=(b"content-length",)),
    answered("304", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, body=b"",
             has=(b"etag: x",)),
    answered("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304,
             body=b""),
    answered("304 in chunks", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
             304, body=b""),
    answered("205 with a length of 0", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
             205, body=b""),
    answered("trailers are no header fields",
             _in_chunks(body=b"3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), 200, body=b"abc",
             has_not=(b"x-t",)),
    answered("no reason phrase", b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc", 200,
             body=b"abc"),
    answered("a status without a name", b"HTTP/1.1 299 Fine\r\nContent-Length: 3\r\n\r\nabc", 299,
             body=b"abc"),
)  # fmt: skip

INTERIM: tuple[Case, ...] = (
    answered("100 before the answer is the balancer's business",
             b"HTTP/1.1 100 Continue\r\n\r\n" + _with_length(), 200, body=b"abc"),
    answered("103 before the answer", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
             + _with_length(), 103, 200, body=b"abc"),
    answered("103 in a read of its own",
             (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", _with_length()), 103, 200,
             body=b"abc"),
    answered("two interim answers", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints"
             b"\r\n\r\n" + _with_length(), 102, 103, 200, body=b"abc"),
    answered("103 to HTTP/1.0 is dropped", b"HTTP/1.1 103 Early Hints\r\n\r\n" + _with_length(),
             200, body=b"abc", send=OLD, closed=True),
    answered("103 to HEAD", b"HTTP/1.1 103 Early Hints\r\n\r\n" + _ok(b"Content-Length: 3"), 103,
             200, body=b"", send=HEAD_OF_ROOT),
    answered("101 that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\n"
             b"Connection: upgrade\r\nUpgrade: x\r\n\r\n", 502),
)  # fmt: skip


def _bad(name: str, answer: bytes) -> Case:
    return answered(name, answer, 502)


FAULTS: tuple[Case, ...] = (
    _bad("a length and chunks", _ok(b"Content-Length: 3", b"Transfer-Encoding: chunked",
         body=b"3\r\nabc\r\n0\r\n\r\n")),
    _bad("chunks and a length", _ok(b"Transfer-Encoding: chunked", b"Content-Length: 3",
         body=b"3\r\nabc\r\n0\r\n\r\n")),
    _bad("two lengths", _ok(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd")),
    _bad("a list of lengths", _ok(b"Content-Length: 3, 4", body=b"abcd")),
    _bad("a negative length", _ok(b"Content-Length: -3", body=b"abc")),
    _bad("a length with a plus", _ok(b"Content-Length: +3", body=b"abc")),
    _bad("a length in hexadecimal", _ok(b"Content-Length: 0x3", body=b"abc")),
    _bad("an empty length", _ok(b"Content-Length:", body=b"abc")),
    _bad("a length of 2^64 + 3", _ok(b"Content-Length: 18446744073709551619", body=b"abc")),
    _bad("gzip", _ok(b"Transfer-Encoding: gzip", body=b"abc")),
    _bad("gzip, then chunked", _ok(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    _bad("chunked, then gzip", _ok(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n")),
    _bad("chunked twice", _ok(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
         body=b"0\r\n\r\n")),
    _bad("chunks from HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"3\r\nabc\r\n0\r\n\r\n"),
    _bad("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    _bad("HTTP/2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a version in lower case", b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("no status", b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a status below 100", b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("a negative status", b"HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("bare LF in the head", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    _bad("a bare CR in a value", _ok(b"X: a\rb", b"Content-Length: 0")),
    _bad("a NUL in a value", _ok(b"X: a\x00b", b"Content-Length: 0")),
    _bad("a folded field", _ok(b"X: a", b" b", b"Content-Length: 0")),
    _bad("white space before a colon", _ok(b"X : a", b"Content-Length: 0")),
    _bad("a field without a colon", _ok(b"X", b"Content-Length: 0")),
    _bad("a head that is too large", _ok(*(b"X-%d: %b" % (i, b"a" * 1000) for i in range(60)),
         b"Content-Length: 0")),
    _bad("a head that never ends", _OK + b"X: " + b"a" * 70_000),
    _bad("chunk sizes that are none, with the head", _in_chunks(body=b"x\r\nabc\r\n")),
    answered("a chunk size that is none, after the head", (_in_chunks(body=b"1\r\na\r\n"),
             b"-1\r\nabc\r\n"), 200, closed=True, broken=True),
    answered("a chunk longer than its size, after the head", (_in_chunks(body=b"1\r\na\r\n"),
             b"1\r\nabc\r\n"), 200, closed=True, broken=True),
)  # fmt: skip

ENDS: tuple[Case, ...] = (
    answered("a head that breaks off", _OK + b"Content-", 502, then="close"),
    answered("a status line that breaks off", b"HTTP/1.1 20", 502, then="close"),
    answered("a length that breaks off", _ok(b"Content-Length: 9", body=b"abc"), 200,
             closed=True, broken=True, then="close"),
    answered("a length that is reset", _ok(b"Content-Length: 9", body=b"abc"), 200,
             closed=True, broken=True, then="reset"),
    answered("chunks that break off", _in_chunks(body=b"3\r\nabc\r\n"), 200, closed=True,
             broken=True, then="close"),
    answered("chunks that break off before the last empty line",
             _in_chunks(body=b"3\r\nabc\r\n0\r\n"), 200, closed=True, broken=True, then="close"),
    answered("only an interim answer", b"HTTP/1.1 103 Early Hints\r\n\r\n", 103, 502,
             then="close"),
    Case("no answer at all to GET", (get(),), (502,), closed=False, seen=None,
         reply=Reply(silent=True, then="close")),
    Case("no answer at all to POST", (post(b"Content-Length: 3", body=b"abc"),), (502,),
         closed=False, seen=(b"POST / abc",), reply=Reply(silent=True, then="close")),
    Case("a reset instead of an answer to POST", (post(b"Content-Length: 3", body=b"abc"),),
         (502,), closed=False, seen=(b"POST / abc",), reply=Reply(silent=True, then="reset")),
    answered("bytes after a length", _with_length() + b"HTTP/1.1 200 OK\r\nX: evil\r\n\r\n", 200,
             body=b"abc"),
    answered("a second answer after a length", _with_length() * 2, 200, body=b"abc"),
    answered("a second answer, later", (_with_length(), _with_length()), 200, body=b"abc"),
    answered("a second answer after chunks", _in_chunks() + _with_length(), 200, body=b"abc"),
    answered("a body after 204", b"HTTP/1.1 204 No Content\r\n\r\nabc", 204, body=b""),
    answered("a body after 304", b"HTTP/1.1 304 Not Modified\r\n\r\nabc", 304, body=b""),
    answered("a body after HEAD", _with_length(), 200, send=HEAD_OF_ROOT, body=b""),
    answered("Connection: close", _with_length(b"Connection: close"), 200, body=b"abc",
             then="close"),
    answered("Connection: close, and yet more", _with_length(b"Connection: close")
             + _with_length(), 200, body=b"abc"),
)  # fmt: skip

HOP_BY_HOP: tuple[Case, ...] = (
    *(
        answered(f"{name.decode()} is not passed on", _with_length(name + b": x"), 200,
                 body=b"abc", has_not=(name.lower(),))
        for name in (b"Keep-Alive", b"Proxy-Connection", b"TE", b"Trailer", b"Upgrade",
                     b"Proxy-Authenticate")
    ),
    answered("a field named in Connection", _with_length(b"Connection: X-A", b"X-A: 1", b"X-B: 2"),
             200, body=b"abc", has=(b"x-b: 2",), has_not=(b"x-a",)),
    answered("a repeated field stays repeated",
             _with_length(b"Set-Cookie: a=1", b"Set-Cookie: b=2"), 200, body=b"abc",
             has=(b"set-cookie: a=1", b"set-cookie: b=2")),
    answered("a value beyond ASCII", _with_length(b"X: \xe4"), 200, body=b"abc",
             has=(b"x: \xe4",)),
    answered("an unnamed field of another answer", _with_length(b"X-A: 1", b"Server: s"), 200,
             body=b"abc", has=(b"x-a: 1",)),
)  # fmt: skip

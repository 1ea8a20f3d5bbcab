"""Host and header fields: names, values, line ends, and what belongs to one hop only."""

from tests.conformance.case import Case, get, passed, post, refused

LINE = b"GET / HTTP/1.1\r\n"


def _host(line: bytes) -> bytes:
    return LINE + line + b"\r\n"


HOST: tuple[Case, ...] = (
    refused("no Host", LINE + b"\r\n"),
    refused("no Host in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n"),
    refused("two Hosts", _host(b"Host: a\r\nHost: b\r\n")),
    refused("the same Host twice", _host(b"Host: a\r\nhost: a\r\n")),
    refused("an empty Host", _host(b"Host:\r\n")),
    refused("a Host with a space", _host(b"Host: a b\r\n")),
    refused("a Host with a slash", _host(b"Host: a/b\r\n")),
    refused("a Host with a user", _host(b"Host: u@a\r\n")),
    refused("a Host with two names", _host(b"Host: a, b\r\n")),
    refused("a Host with a port that is no number", _host(b"Host: a:b\r\n")),
    refused("a Host beyond ASCII", _host(b"Host: \xc3\xa4\r\n")),
    passed("a Host with a port", _host(b"Host: a:80\r\n"), b"GET /", has=(b"host: a:80",)),
    passed("a Host of IPv6", _host(b"Host: [::1]:80\r\n"), b"GET /", has=(b"host: [::1]:80",)),
    passed("a Host with white space around", _host(b"Host: \t a \t\r\n"), b"GET /",
           has=(b"host: a",)),
    refused("a Host after white space", _host(b" Host: a\r\n")),
    refused("a Host folded", _host(b"Host:\r\n a\r\n")),
)  # fmt: skip

NAMES: tuple[Case, ...] = (
    *(
        refused(f"a name with {byte!r}", get(b"X" + byte + b"Y: 1"))
        for byte in (b" ", b"\t", b"\x00", b"(", b"/", b"@", b"[", b"\\", b'"', b"\x7f", b"\x80")
    ),
    refused("an empty name", get(b": 1")),
    refused("white space before the colon", get(b"X : 1")),
    refused("a tab before the colon", get(b"X\t: 1")),
    refused("white space before the colon of Content-Length",
            post(b"Content-Length : 5", body=b"abcde")),
    refused("white space before the colon of Transfer-Encoding",
            post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n")),
    refused("no colon", get(b"X")),
    refused("a field that begins with a space", get(b" X: 1")),
    passed("a name of all that a token may hold", get(b"X!#$%&'*+-.^`|~09: 1"), b"GET /",
           has=(b"x!#$%&'*+-.^`|~09: 1",)),
    passed("a name with an underscore is dropped", get(b"X_Real_IP: 1", b"X-A: 2"), b"GET /",
           has=(b"x-a: 2",), has_not=(b"x_real_ip",)),
)  # fmt: skip

VALUES: tuple[Case, ...] = (
    *(
        refused(f"a value with {byte!r}", get(b"X: a" + byte + b"b"))
        for byte in (b"\x00", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1b", b"\x1f", b"\x7f")
    ),
    refused("a bare CR within a value", get(b"X: a\rb")),
    refused("a bare LF after a value", get(b"X: a\nY: b")),
    refused("a bare LF that ends the head", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    refused("a bare CR that ends the head", b"GET / HTTP/1.1\r\nHost: a\r\n\r\rGET"),
    refused("CR CR LF after a value", get(b"X: a\r")),
    refused("a folded value", get(b"X: a", b" b")),
    refused("a value folded by a tab", get(b"X: a", b"\tb")),
    refused("a folded Transfer-Encoding",
            post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n")),
    passed("a value with a tab", get(b"X: a\tb"), b"GET /", has=(b"x: a\tb",)),
    passed("a value beyond ASCII", get(b"X: \xe4\xff"), b"GET /", has=(b"x: \xe4\xff",)),
    passed("an empty value", get(b"X:", b"Y: 1"), b"GET /", has=(b"x: ", b"y: 1")),
    passed("no white space after the colon", get(b"X:1"), b"GET /", has=(b"x: 1",)),
    passed("white space around a value", get(b"X: \t 1 \t"), b"GET /", has=(b"x: 1",)),
    passed("a repeated field stays repeated", get(b"X: 1", b"X: 2"), b"GET /",
           has=(b"x: 1", b"x: 2")),
)  # fmt: skip

HOP_BY_HOP: tuple[Case, ...] = (
    *(
        passed(f"{name.decode()} is not passed on", get(name + b": " + value), b"GET /",
               has_not=(name.lower(),))
        for name, value in (
            (b"Keep-Alive", b"timeout=5"), (b"Proxy-Connection", b"keep-alive"),
            (b"TE", b"trailers"), (b"Trailer", b"X"), (b"Upgrade", b"h2c"),
            (b"Proxy-Authorization", b"Basic YQ=="),
        )
    ),
    passed("a field named in Connection", get(b"Connection: X-A", b"X-A: 1", b"X-B: 2"), b"GET /",
           has=(b"x-b: 2",), has_not=(b"x-a",)),
    passed("a field named in Connection before", get(b"x-a: 1", b"Connection: close , X-A"),
           b"GET /", has_not=(b"x-a",), closed=True),
    passed("fields named in two Connections", get(b"Connection: X-A", b"X-A: 1", b"X-B: 2",
           b"Connection: X-B"), b"GET /", has_not=(b"x-a", b"x-b")),
    passed("Host named in Connection stays", get(b"Connection: Host"), b"GET /",
           has=(b"host: a",)),
    passed("Content-Length named in Connection stays",
           post(b"Connection: Content-Length", b"Content-Length: 3", body=b"abc"), b"POST / abc"),
    passed("Transfer-Encoding named in Connection frames",
           post(b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked",
                body=b"3\r\nabc\r\n0\r\n\r\n"), b"POST / abc"),
    passed("Connection: close", get(b"Connection: close"), b"GET /", closed=True),
    passed("Connection: CLOSE among others", get(b"Connection: x , CLOSE"), b"GET /", closed=True),
    passed("what a client claims of itself", get(b"X-Forwarded-For: 6.6.6.6",
           b"X-Real-IP: 6.6.6.6", b"Forwarded: for=6.6.6.6"), b"GET /",
           has=(b"x-forwarded-for: 127.0.0.1",), has_not=(b"x-real-ip", b"forwarded")),
    passed("a valid request id", get(b"X-Request-ID: a.B_9-"), b"GET /",
           has=(b"x-request-id: a.B_9-",)),
    passed("a traceparent", get(b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa-01"),
           b"GET /",
           has=(b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa-01",)),
)  # fmt: skip

EXPECT_AND_UPGRADE: tuple[Case, ...] = (
    Case("100-continue is answered, and not passed on",
         (post(b"Expect: 100-continue", b"Content-Length: 3"), b"abc"),
         (100, 200), closed=False, seen=(b"POST / abc",), has_not=(b"expect",), waits=True),
    passed("100-continue with the body at once",
           post(b"Expect: 100-Continue", b"Content-Length: 3", body=b"abc"), b"POST / abc",
           has_not=(b"expect",)),
    passed("100-continue in HTTP/1.0 is ignored", b"POST / HTTP/1.0\r\nHost: a\r\n"
           b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", b"POST / abc", closed=True),
    passed("100-continue without a body", get(b"Expect: 100-continue"), b"GET /"),
    refused("another expectation", get(b"Expect: tea"), 417),
    refused("two expectations", get(b"Expect: 100-continue, tea"), 417),
    passed("an offer of h2c is ignored",
           get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"),
           b"GET /", has_not=(b"upgrade", b"http2-settings")),
    passed("Upgrade that Connection does not name", get(b"Upgrade: websocket"), b"GET /",
           has_not=(b"upgrade",)),
    passed("an offer of h2c with a body is ignored",
           post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 3", body=b"abc"),
           b"POST / abc", has_not=(b"upgrade",)),
)  # fmt: skip

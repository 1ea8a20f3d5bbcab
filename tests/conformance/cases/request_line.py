"""Request lines: form, versions, methods, targets."""

from tests.conformance.case import Case, get, passed, refused

HOST = b"Host: a\r\n\r\n"


def _line(line: bytes, end: bytes = b"\r\n") -> bytes:
    return line + end + HOST


FORM: tuple[Case, ...] = (
    passed("a plain request", get(), b"GET /"),
    passed("an empty line before", b"\r\n" + get(), b"GET /"),
    refused("two spaces before the target", _line(b"GET  / HTTP/1.1")),
    refused("a tab before the target", _line(b"GET\t/ HTTP/1.1")),
    refused("two spaces before the version", _line(b"GET /  HTTP/1.1")),
    refused("a space after the version", _line(b"GET / HTTP/1.1 ")),
    refused("a space before the method", _line(b" GET / HTTP/1.1")),
    refused("a space within the target", _line(b"GET /a b HTTP/1.1")),
    refused("a tab within the target", _line(b"GET /a\tb HTTP/1.1")),
    refused("a NUL within the target", _line(b"GET /a\x00b HTTP/1.1")),
    refused("a DEL within the target", _line(b"GET /a\x7fb HTTP/1.1")),
    refused("bytes beyond ASCII within the target", _line(b"GET /\xc3\xa4 HTTP/1.1")),
    refused("a fragment", _line(b"GET /a#b HTTP/1.1")),
    refused("no target", _line(b"GET HTTP/1.1"), 505),
    refused("a bare LF after the line", _line(b"GET / HTTP/1.1", b"\n")),
    refused("a bare CR after the line", _line(b"GET / HTTP/1.1", b"\r")),
    refused("CR CR LF after the line", _line(b"GET / HTTP/1.1", b"\r\r\n")),
    refused("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n"),
    refused("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)),
    refused("a field where the line should be", b"Host: a\r\nGET / HTTP/1.1\r\n\r\n"),
    refused("white space between the line and the fields", b"GET / HTTP/1.1\r\n X: 1\r\n" + HOST),
)

VERSIONS: tuple[Case, ...] = (
    passed("HTTP/1.0 closes", _line(b"GET / HTTP/1.0"), b"GET /", closed=True),
    passed("HTTP/1.0 with keep-alive", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST,
           b"GET /"),
    refused("HTTP/2.0", _line(b"GET / HTTP/2.0"), 505),
    refused("HTTP/1.2", _line(b"GET / HTTP/1.2"), 505),
    refused("HTTP/0.9 named", _line(b"GET / HTTP/0.9"), 505),
    refused("HTTP/0.9 as it was", b"GET /\r\n\r\n", 505),
    refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("a version of one digit", _line(b"GET / HTTP/1"), 505),
    refused("a version of two digits", _line(b"GET / HTTP/1.10"), 505),
    refused("a version with a leading zero", _line(b"GET / HTTP/01.1"), 505),
    refused("a version in lower case", _line(b"GET / http/1.1"), 505),
    refused("another protocol", _line(b"GET / ICE/1.0"), 505),
)  # fmt: skip

METHODS: tuple[Case, ...] = (
    *(
        passed(f"{method.decode()} passes", _line(method + b" / HTTP/1.1"), method + b" /")
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH")
    ),
    passed("HEAD passes", _line(b"HEAD / HTTP/1.1"), b"HEAD /", to_head=True),
    refused("a method in lower case", _line(b"get / HTTP/1.1")),
    refused("an unknown method", _line(b"GETX / HTTP/1.1"), 501),
    refused("a method that is no token", _line(b"G(T / HTTP/1.1")),
    refused("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501),
    refused("CONNECT with a body of a request", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
            + get(), 501),
    refused("TRACE", _line(b"TRACE / HTTP/1.1"), 501),
)  # fmt: skip

TARGETS: tuple[Case, ...] = (
    passed("OPTIONS *", _line(b"OPTIONS * HTTP/1.1"), b"OPTIONS *"),
    refused("GET *", _line(b"GET * HTTP/1.1")),
    refused("a path without a slash", _line(b"GET a HTTP/1.1")),
    passed("an absolute form", _line(b"GET http://a/b?c HTTP/1.1"), b"GET /b?c",
           has=(b"host: a",)),
    passed("an absolute form without a path", _line(b"GET http://a HTTP/1.1"), b"GET /"),
    passed("an absolute form with only a query", _line(b"GET http://a?q HTTP/1.1"), b"GET /?q"),
    passed("an absolute form in capitals", _line(b"GET HTTP://A/b HTTP/1.1"), b"GET /b"),
    refused("an absolute form of another host", _line(b"GET http://b/ HTTP/1.1")),
    refused("an absolute form of another port", _line(b"GET http://a:81/ HTTP/1.1")),
    refused("an absolute form with a user", _line(b"GET http://u@a/ HTTP/1.1")),
    refused("an absolute form without a host", _line(b"GET http:///b HTTP/1.1")),
    refused("an absolute form of ftp", _line(b"GET ftp://a/ HTTP/1.1")),
    refused("an absolute form without Host", b"GET http://a/ HTTP/1.1\r\n\r\n"),
    refused("an authority form", _line(b"GET a:80 HTTP/1.1")),
    passed("a path is not normalised", _line(b"GET /a/../b//%2e%2e/%00?x=/../ HTTP/1.1"),
           b"GET /a/../b//%2e%2e/%00?x=/../"),
    passed("a path of two slashes", _line(b"GET //b/c HTTP/1.1"), b"GET //b/c"),
)  # fmt: skip

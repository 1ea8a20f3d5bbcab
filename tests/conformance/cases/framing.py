"""How a request's body ends: Content-Length, Transfer-Encoding, chunks, trailers."""

from tests.conformance.case import Case, chunked, get, passed, post, refused


def _length(value: bytes, body: bytes = b"abc") -> bytes:
    return post(b"Content-Length: " + value, body=body)


def _encoding(value: bytes, body: bytes = b"3\r\nabc\r\n0\r\n\r\n") -> bytes:
    return post(b"Transfer-Encoding: " + value, body=body)


END = b"0\r\n\r\n"

CONTENT_LENGTH: tuple[Case, ...] = (
    passed("a body of a length", _length(b"3"), b"POST / abc", has=(b"content-length: 3",)),
    passed("no length, no body", post(), b"POST /"),
    passed("a length of 0", _length(b"0", b""), b"POST /"),
    passed("a length with leading zeroes", _length(b"0003"), b"POST / abc",
           has=(b"content-length: 3",)),
    passed("a length with white space around", _length(b" \t3\t "), b"POST / abc"),
    passed("GET with a body", get(b"Content-Length: 3") + b"abc", b"GET / abc"),
    refused("the same length twice", post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc")),
    refused("two lengths", post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd")),
    refused("two lengths, the second 0", post(b"Content-Length: 3", b"Content-Length: 0",
            body=b"abc")),
    refused("a list of the same length", _length(b"3, 3")),
    refused("a list of lengths", _length(b"3, 4")),
    refused("a length with a plus", _length(b"+3")),
    refused("a negative length", _length(b"-3")),
    refused("a length in hexadecimal", _length(b"0x3")),
    refused("a length with an exponent", _length(b"3e0")),
    refused("a length with a point", _length(b"3.0")),
    refused("a length with a space within", _length(b"1 3")),
    refused("a length with an underscore", _length(b"1_0")),
    refused("an empty length", _length(b"")),
    refused("a word for a length", _length(b"three")),
    refused("a length of foreign digits", _length("٣".encode())),
    refused("a length in quotes", _length(b'"3"')),
    refused("a length of 2^64", _length(b"18446744073709551616")),
    refused("a length of 2^64 + 3", _length(b"18446744073709551619")),
    refused("a length beyond any number", _length(b"9" * 400)),
    Case("a body shorter than announced, and the client leaves", (_length(b"5"),), (),
         closed=True, seen=(), leaves=True),
)  # fmt: skip

TRANSFER_ENCODING: tuple[Case, ...] = (
    passed("a chunked body", _encoding(b"chunked"), b"POST / abc", has_not=(b"content-length",)),
    passed("chunked in capitals", _encoding(b"CHUNKED"), b"POST / abc",
           has=(b"transfer-encoding: chunked",)),
    passed("chunked with white space around", _encoding(b" \tchunked\t "), b"POST / abc"),
    passed("chunked, after which a request follows",
           _encoding(b"chunked") + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", b"POST / abc",
           b"GET /2"),
    refused("chunked and a length", post(b"Content-Length: 3", b"Transfer-Encoding: chunked",
            body=END)),
    refused("chunked and a length after", post(b"Transfer-Encoding: chunked", b"Content-Length: 5",
            body=END)),
    refused("chunked and a length of 0", post(b"Transfer-Encoding: chunked", b"Content-Length: 0",
            body=END)),
    refused("chunked twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
            body=END)),
    refused("chunked, chunked", _encoding(b"chunked, chunked"), 400),
    refused("chunked, then gzip", _encoding(b"chunked, gzip")),
    refused("gzip, then chunked", _encoding(b"gzip, chunked"), 501),
    refused("gzip, then chunked in a field of its own",
            post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=END), 501),
    refused("chunked, then identity in a field of its own",
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=END)),
    refused("identity", _encoding(b"identity", b""), 501),
    refused("identity and a length", post(b"Transfer-Encoding: identity", b"Content-Length: 3",
            body=b"abc")),
    refused("gzip alone", _encoding(b"gzip", b""), 501),
    refused("xchunked", _encoding(b"xchunked"), 501),
    refused("chunkedx", _encoding(b"chunkedx"), 501),
    refused("chunked in quotes", _encoding(b'"chunked"'), 501),
    refused("chunked with a parameter", _encoding(b"chunked;q=1"), 501),
    refused("chunked with a NUL", _encoding(b"chunked\x00")),
    refused("chunked after a vertical tab", _encoding(b"\x0bchunked")),
    refused("chunked with a comma before", _encoding(b", chunked")),
    refused("chunked with a comma after", _encoding(b"chunked,")),
    refused("an empty coding", _encoding(b"", b"")),
    refused("chunked in HTTP/1.0",
            b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + END),
    refused("chunked in HTTP/1.0 with a length", b"POST / HTTP/1.0\r\nHost: a\r\n"
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + END),
)  # fmt: skip

CHUNKS: tuple[Case, ...] = (
    passed("several chunks", chunked(b"1\r\na\r\n2\r\nbc\r\n" + END), b"POST / abc"),
    passed("a chunk size in either case", chunked(b"A\r\n0123456789\r\na\r\n0123456789\r\n" + END),
           b"POST / 01234567890123456789"),
    passed("a chunk size with leading zeroes", chunked(b"0003\r\nabc\r\n000\r\n\r\n"),
           b"POST / abc"),
    passed("a chunk extension", chunked(b"3;a=b\r\nabc\r\n0;c\r\n\r\n"), b"POST / abc"),
    passed("a chunk extension in quotes", chunked(b'3;a="b c"\r\nabc\r\n' + END), b"POST / abc"),
    passed("a chunk that looks like the end", chunked(b"5\r\n0\r\n\r\n\r\n" + END),
           b"POST / 0\r\n\r\n"),
    *(
        refused(f"a chunk size of {size!r}", chunked(size + b"\r\nabc\r\n" + END))
        for size in (
            b"-3", b"+3", b"0x3", b"3 ", b" 3", b"\t3", b"3h", b"", b"3.0", b"g", b"3,3",
            b"fffffffffffffffff", b"10000000000000003", b"3\x00",
        )
    ),
    refused("a chunk extension without a bound",
            chunked(b"3;" + b"a" * 70_000 + b"\r\nabc\r\n" + END)),
    refused("a chunk extension with a control character",
            chunked(b"3;a\x01\r\nabc\r\n" + END)),
    refused("a chunk extension with a bare CR", chunked(b"3;a\rb\r\nabc\r\n" + END)),
    refused("a chunk extension with a bare LF", chunked(b"3;a\nabc\r\n" + END)),
    refused("a bare LF after a chunk size", chunked(b"3\nabc\r\n" + END)),
    refused("a bare CR after a chunk size", chunked(b"3\rabc\r\n" + END)),
    refused("a bare LF after a chunk", chunked(b"3\r\nabc\n" + END)),
    refused("a chunk longer than its size", chunked(b"3\r\nabcd\r\n" + END)),
    refused("a chunk shorter than its size", chunked(b"4\r\nabc\r\n" + END)),
    refused("no line end after a chunk", chunked(b"3\r\nabc" + END)),
    refused("a bare LF after the last chunk", chunked(b"3\r\nabc\r\n0\n\n")),
    refused("a bare LF after the trailers", chunked(b"3\r\nabc\r\n0\r\n\n")),
    Case("a body without a last chunk, and the client leaves", (chunked(b"3\r\nabc\r\n"),), (),
         closed=True, seen=(), leaves=True),
)  # fmt: skip

TRAILERS: tuple[Case, ...] = (
    passed("trailers are dropped", chunked(b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), b"POST / abc",
           has_not=(b"x-t",)),
    passed("a trailer that claims authority", chunked(b"0\r\nAuthorization: x\r\n\r\n"),
           b"POST /", has_not=(b"authorization",)),
    refused("a trailer with a Host", chunked(b"0\r\nHost: b\r\n\r\n")),
    refused("a trailer with a length", chunked(b"0\r\nContent-Length: 5\r\n\r\n")),
    refused("a trailer with white space before the colon", chunked(b"0\r\nX : 1\r\n\r\n")),
    refused("a folded trailer", chunked(b"0\r\nX: 1\r\n 2\r\n\r\n")),
    refused("a trailer with a NUL", chunked(b"0\r\nX: \x00\r\n\r\n")),
    refused("a trailer without a colon", chunked(b"0\r\nX\r\n\r\n")),
    refused("trailers without a bound", chunked(b"0\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n")),
)  # fmt: skip

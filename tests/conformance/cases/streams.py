"""More than one request, or less: smuggling, pipelining, limits, splits, early answers."""

from tests.conformance.case import (
    MAX_BODY,
    STREAMED,
    Case,
    Reply,
    chunked,
    get,
    passed,
    post,
    refused,
)

INNER = b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"
END = b"0\r\n\r\n"

SMUGGLING: tuple[Case, ...] = (
    refused("CL.TE", post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=END + b"G")),
    refused("CL.TE with a request inside", post(b"Content-Length: %d" % len(END + INNER),
            b"Transfer-Encoding: chunked", body=END + INNER)),
    refused("TE.CL", post(b"Transfer-Encoding: chunked", b"Content-Length: 4",
            body=b"%x\r\n%b\r\n" % (len(INNER), INNER) + END)),
    refused("TE.TE, the second unknown", post(b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: x", body=END + INNER)),
    refused("TE.TE, the first unknown", post(b"Transfer-Encoding: x",
            b"Transfer-Encoding: chunked", body=END + INNER), 501),
    refused("TE hidden by a space before the colon", post(b"Content-Length: 5",
            b"Transfer-Encoding : chunked", body=END)),
    refused("TE hidden by a leading space", post(b"Content-Length: 5", b" Transfer-Encoding: "
            b"chunked", body=END)),
    refused("TE hidden by a bare LF", post(b"Content-Length: 5", b"X: y\nTransfer-Encoding: "
            b"chunked", body=END)),
    refused("TE hidden by a bare CR", post(b"Content-Length: 5", b"X: y\rTransfer-Encoding: "
            b"chunked", body=END)),
    refused("TE hidden by a fold", post(b"Content-Length: 5", b"Transfer-Encoding:", b" chunked",
            body=END)),
    refused("TE hidden by a NUL in its name", post(b"Content-Length: 5",
            b"Transfer-Encoding\x00: chunked", body=END)),
    passed("TE with an underscore is no framing", post(b"Content-Length: 5",
           b"Transfer_Encoding: chunked", body=END), b"POST / 0\r\n\r\n",
           has_not=(b"transfer_encoding",)),
    passed("CL with an underscore is no framing", post(b"Content-Length: 3", b"Content_Length: 1",
           body=b"abc"), b"POST / abc", has_not=(b"content_length",)),
    refused("0.CL: a length hidden by a space before the colon", get(b"Content-Length : %d"
            % len(INNER)) + INNER),
    refused("0.CL: a length hidden by a leading space", b"GET / HTTP/1.1\r\nHost: a\r\n"
            b" Content-Length: %d\r\n\r\n" % len(INNER) + INNER),
    passed("a request in the body of a GET stays its body",
           get(b"Content-Length: %d" % len(INNER)) + INNER, b"GET / " + INNER),
    passed("a request in a chunk stays a body", chunked(b"%x\r\n%b\r\n" % (len(INNER), INNER)
           + END), b"POST / " + INNER),
    refused("a field injected by CR LF in absolute form",
            b"GET http://a\r\nX: 1/ HTTP/1.1\r\nHost: a\r\n\r\n", 505),
    Case("a chunk size that a short reader cuts, and the client leaves",
         (chunked(b"100000003\r\nabc\r\n" + END),), (), closed=True, seen=(), leaves=True),
    refused("an extension that hides a line end (TERM.EXT)", chunked(b"2;\nxx\r\n10\r\n" + END
            + INNER)),
    refused("two bytes where the line end of a chunk is expected", chunked(b"3\r\nabcXX" + END)),
    passed("what follows a last request is not read", get(b"Connection: close") + INNER, b"GET /",
           closed=True),
)  # fmt: skip

PIPELINING: tuple[Case, ...] = (
    passed("two requests", get() + INNER, b"GET /", b"GET /inner"),
    passed("requests with bodies", post(b"Content-Length: 3", body=b"abc")
           + chunked(b"1\r\nd\r\n" + END) + INNER, b"POST / abc", b"POST / d", b"GET /inner"),
    passed("twenty requests in order",
           b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(20)),
           *(b"GET /%d" % i for i in range(20))),
    passed("an empty line between two", get() + b"\r\n" + INNER, b"GET /", b"GET /inner"),
    Case("a bad request behind a good one", (get() + b"GET / HTTP/1.1\r\n\r\n",), (200, 400),
         closed=True, seen=(b"GET /",)),
    Case("a good request behind a bad one", (b"GET / HTTP/1.1\r\n\r\n" + INNER,), (400,),
         closed=True, seen=()),
    Case("rubbish behind a body", (post(b"Content-Length: 3", body=b"abcdef\r\n\r\n"),),
         (200, 400), closed=True, seen=(b"POST / abc",)),
    passed("HEAD behind HEAD", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" * 2, b"HEAD /", b"HEAD /",
           to_head=True),
)  # fmt: skip

LIMITS: tuple[Case, ...] = (
    refused("a target too long", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    passed("a target just short enough", b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
           b"GET /" + b"a" * 8000),
    refused("a target that never ends", b"GET /" + b"a" * 40_000, 414),
    refused("a method that never ends", b"A" * 40_000, 414),
    refused("a value too long", get(b"X: " + b"a" * 40_000), 431),
    refused("a value that never ends", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000, 431),
    refused("a name that never ends", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a" * 40_000, 431),
    refused("too many fields", get(*(b"X-%d: 1" % i for i in range(5000))), 431),
    passed("a value just short enough", get(b"X: " + b"a" * 7900), b"GET /",
           has=(b"x: " + b"a" * 7900,)),
    refused("a body announced too large", post(b"Content-Length: %d" % (MAX_BODY + 1)), 413),
    refused("a body announced too large, and expected",
            post(b"Expect: 100-continue", b"Content-Length: %d" % (MAX_BODY + 1)), 413),
    Case("a chunk announced too large", (chunked(b"40000\r\n" + b"a" * 0x40000 + b"\r\n" + END),),
         (413,), closed=True, seen=()),
    Case("many chunks, too large together", (chunked(b"3e8\r\n" + b"a" * 1000 + b"\r\n"),
         *(b"3e8\r\n" + b"a" * 1000 + b"\r\n" for _ in range(250)), END), (413,), closed=True,
         seen=()),
    passed("a large body that is streamed", post(b"Content-Length: %d" % STREAMED,
           body=b"a" * STREAMED), b"POST / " + b"a" * STREAMED),
    passed("a large chunked body that is streamed", chunked(
           (b"3e8\r\n" + b"a" * 1000 + b"\r\n") * 100 + END), b"POST / " + b"a" * STREAMED),
    Case("a streamed body with a broken chunk at its end", (chunked(
         (b"3e8\r\n" + b"a" * 1000 + b"\r\n") * 100), b"-1\r\n" + END), (400,), closed=True,
         seen=()),
)  # fmt: skip


def _byte_by_byte(name: str, raw: bytes, *seen: bytes) -> Case:
    return passed(name, tuple(raw[i : i + 1] for i in range(len(raw))), *seen)


SPLITS: tuple[Case, ...] = (
    _byte_by_byte("a GET byte by byte", get(b"X: 1"), b"GET /"),
    _byte_by_byte("a length byte by byte", post(b"Content-Length: 3", body=b"abc"), b"POST / abc"),
    _byte_by_byte("chunks byte by byte",
                  chunked(b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"), b"POST / abc"),
    _byte_by_byte("two requests byte by byte", get() + INNER, b"GET /", b"GET /inner"),
    _byte_by_byte("an absolute form byte by byte",
                  b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /b"),
    passed("cut within CR LF", (get()[:-3], get()[-3:]), b"GET /"),
    Case("a refusal byte by byte", tuple(bytes([byte]) for byte in get(b"X : 1")), (400,),
         closed=True, seen=()),
)  # fmt: skip

_ANSWER = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
_HALF = post(b"Content-Length: %d" % STREAMED, body=b"a" * (STREAMED - 20_000))

EARLY: tuple[Case, ...] = (
    Case("an answer while the body still comes", (_HALF,), (403,), closed=True, seen=(),
         reply=Reply((_ANSWER,), at="head"), bodies=(b"no",)),
    Case("an answer while the body still comes, and the backend closes", (_HALF,), (403,),
         closed=True, seen=(), reply=Reply((_ANSWER,), at="head", then="close"), bodies=(b"no",)),
    Case("an answer while chunks still come", (chunked((b"3e8\r\n" + b"a" * 1000 + b"\r\n") * 90),),
         (403,), closed=True, seen=(), reply=Reply((_ANSWER,), at="head"), bodies=(b"no",)),
)  # fmt: skip

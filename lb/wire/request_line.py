"""Says what is wrong with a request line."""

import re

from lb.wire.problem import Problem, bad_request

# Those of RFC 9110 and 5789, and of WebDAV; a replica decides about them.
METHODS = frozenset(
    (
        b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"QUERY",
        b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"REPORT",
        b"SEARCH",
    )
)  # fmt: skip
_METHOD = re.compile(rb"[A-Z][A-Z-]*")
_TARGET = re.compile(rb"[\x21\x22\x24-\x7e]+")
_VERSIONS = frozenset((b"HTTP/1.1", b"HTTP/1.0"))


def refusal_of_line(line: bytes) -> Problem | None:
    """Return why a request line, without its CRLF, is refused; None: it isn't."""
    method, _, rest = line.partition(b" ")
    target, _, version = rest.partition(b" ")
    if _METHOD.fullmatch(method) is None:
        return bad_request("The method is unknown, or this is not HTTP. Send a method of RFC 9110.")
    if not target or b" " in version:
        return bad_request("The request line is not method, target and version. Correct it.")
    if version not in _VERSIONS:
        return Problem(
            505, "version-not-supported", "This version of HTTP is not spoken here",
            "The request line does not end in HTTP/1.1. Send HTTP/1.1.",
        )  # fmt: skip
    if _TARGET.fullmatch(target) is None:
        return bad_request("The target holds a character that no URI may have. Percent-encode it.")
    if method in METHODS:
        return None
    return Problem(
        501, "method-not-implemented", "The method is not offered",
        f"{method.decode('latin-1')} is not passed on. Use another method.",
    )  # fmt: skip

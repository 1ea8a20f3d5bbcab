"""Paths of the public address that only operators may ask for, once there is a token for them."""

import hmac
import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_SLASHES = re.compile(rb"//+")


def bears(authorization: bytes, token: bytes) -> bool:
    """Tell whether a field `Authorization` holds the token, in a time that tells nothing of it."""
    scheme, _, given = authorization.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token)


class OperatorPaths:
    """`prefixes` begin with a slash, end without one, and stand for whole segments, `*` for any.

    An empty `token` bars nobody: there is nothing that operators could be known by.
    """

    def __init__(self, prefixes: Iterable[bytes], token: str) -> None:
        patterns = [re.escape(prefix).replace(rb"\*", rb"[^/]+") for prefix in prefixes]
        self._below = [re.compile(pattern + rb"(?:/|\Z)") for pattern in patterns if token]
        self._token = token.encode()
        # targets repeat
        self._include = lru_cache(1024)(self._lies_below)

    def bar(self, target: bytes, authorization: bytes | None) -> bool:
        """Tell whether a request is to be refused."""
        return self._include(target) and not bears(authorization or b"", self._token)

    def _lies_below(self, target: bytes) -> bool:
        # a replica decodes %76, and may merge slashes, resolve dots or cut parameters off, or not:
        # whichever it does, the spelling must lead nobody past
        path = unquote_to_bytes(target.partition(b"?")[0])
        merged = _SLASHES.sub(b"/", path)
        spellings = {path, merged, posixpath.normpath(merged)}
        spellings |= {spelling.partition(b";")[0] for spelling in spellings}
        return any(below.match(spelling) for below in self._below for spelling in spellings)

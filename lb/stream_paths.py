"""Paths whose bodies and answers may be of any size and take any time."""

import re
from collections.abc import Iterable
from functools import lru_cache

# Nothing that could be read in two ways: a replica may decode %2e, merge slashes, resolve dots or
# cut parameters off, and then what is passed on here without limits would be another path.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")


class StreamPaths:
    """`prefixes` begin with a slash, end without one, and stand for whole segments."""

    def __init__(self, prefixes: Iterable[bytes]) -> None:
        self._prefixes = tuple(prefixes)
        # targets repeat
        self.include = lru_cache(1024)(self._include)

    def _include(self, target: bytes) -> bool:
        path = target.partition(b"?")[0]
        return _PLAIN.fullmatch(path) is not None and any(
            path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in b"/"
            for prefix in self._prefixes
        )

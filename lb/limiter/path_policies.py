"""Which limit is on a target."""

import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from lb.limiter.policy import Policy

_SLASHES = re.compile(rb"//+")


class PathPolicies:
    """The policy of the longest prefix that a path lies below; None: no limit.

    `by_prefix`: prefixes begin with a slash and end without one; the empty one is for all paths.
    """

    def __init__(self, by_prefix: Mapping[bytes, Policy | None]) -> None:
        self._longest_first = sorted(
            by_prefix.items(), key=lambda entry: len(entry[0]), reverse=True
        )
        # Targets repeat, and looking anew means decoding them.
        self.of = lru_cache(1024)(self._of)

    def _of(self, target: bytes) -> Policy | None:
        path = target.partition(b"?")[0]
        if b"%" not in path and b"//" not in path and b"/." not in path:
            return self._longest(path)
        # A replica decodes %76, and may merge slashes or resolve dots, or not.  Whichever it does,
        # the spelling must lead to no wider limit.
        path = _SLASHES.sub(b"/", b"/" + unquote_to_bytes(path))
        found = [self._longest(path), self._longest(posixpath.normpath(path))]
        return min((policy for policy in found if policy), key=lambda p: p.rate, default=None)

    def _longest(self, path: bytes) -> Policy | None:
        for prefix, policy in self._longest_first:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in b"/":
                return policy
        return None

"""The rate limit on the API's paths."""

import math
import posixpath
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from limits import RateLimitItem

from lb.limiter.window_log import WindowLog
from lb.wire.problem import Problem

_PREFIX = b"/v1"


class Verdict(NamedTuple):
    """`fields`: the RateLimit header lines for the answer; `problem`: the refusal, if it is one."""

    fields: bytes
    problem: Problem | None


class Limiter:
    """Counts each client's requests below /v1 in a sliding window.

    Fields as of draft-ietf-httpapi-ratelimit-headers-11: `r` requests left, and after `t` seconds
    at least one more.
    """

    def __init__(self, item: RateLimitItem, *, max_clients: int, now: float) -> None:
        self.notation = str(item)
        self.limited = 0
        window_s = item.get_expiry()
        self._log = WindowLog(item.amount, window_s, max_clients=max_clients, now=now)
        policy = b'RateLimit-Policy: "default";q=%d;w=%d\r\n' % (item.amount, window_s)
        self._template = policy + b'RateLimit: "default";r=%d;t=%d\r\n'

    @property
    def clients(self) -> int:
        """Clients counted now."""
        return len(self._log)

    def check(self, client: str, target: bytes, now: float) -> Verdict | None:
        """Count a request; None: no limit is on this target."""
        if not is_limited(target):
            return None
        decision = self._log.take(client, now)
        reset_s = max(1, math.ceil(decision.reset_s))
        fields = self._template % (decision.remaining, reset_s)
        if decision.allowed:
            return Verdict(fields, None)
        self.limited += 1
        problem = Problem(
            429, "rate-limited", "Too many requests",
            f"More than {self.notation} came from this address. Wait for {reset_s} s; "
            "the RateLimit field of every answer tells what is left.",
            retry_after_s=reset_s,
        )  # fmt: skip
        return Verdict(fields, problem)

    def sweep(self, now: float) -> None:
        """Forget clients of the past, a bounded number a call."""
        self._log.sweep(now)


@lru_cache(1024)
def is_limited(target: bytes) -> bool:
    """Tell whether a target in origin form lies below /v1, however it is spelt.

    A replica decodes %76 and merges slashes, so the spelling must not lead around the limit.
    """
    path = target.partition(b"?")[0]
    if b"%" in path or b"//" in path or b"/." in path:
        path = posixpath.normpath(b"/" + unquote_to_bytes(path).lstrip(b"/"))
    return path.startswith(_PREFIX) and path[3:4] in b"/"

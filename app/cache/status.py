"""Where an answer came from, as `plan.cache` and as Cache-Status (RFC 9211)."""

from dataclasses import dataclass
from typing import Literal

from app.queries.request import Answer

Origin = Literal["hit", "miss", "stale", "bypass", "collapsed", "refresh"]


@dataclass(frozen=True)
class CacheStatus:
    """`origin` of an answer; `reason` says why it is no hit, or stale, for people.

    `stored` tells that it is kept now, `ttl_s` how long it counts as fresh (negative: since when
    it does not), None where it is not kept.
    """

    origin: Origin
    reason: str = ""
    stored: bool = False
    ttl_s: float | None = None

    def header(self) -> str:
        """Return the value of Cache-Status."""
        parts = ["millrace"]
        match self.origin:
            case "hit" | "stale":
                parts.append("hit")
            case "miss":
                parts.append("fwd=miss")
            case "collapsed":
                parts += ["fwd=miss", "collapsed"]
            case "refresh":
                parts.append("fwd=request")
            case "bypass":
                parts.append("fwd=bypass")
        if self.stored:
            parts.append("stored")
        if self.ttl_s is not None:
            parts.append(f"ttl={int(self.ttl_s)}")
        if self.reason:
            detail = "".join(letter if " " <= letter <= "~" else "?" for letter in self.reason)
            escaped = detail.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'detail="{escaped}"')
        return "; ".join(parts)


@dataclass(frozen=True)
class CachedAnswer:
    """An answer with its history.  `etag` is strong: of columns and rows, without quotes."""

    answer: Answer
    status: CacheStatus
    age_s: float
    stale: bool
    etag: str

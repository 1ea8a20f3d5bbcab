"""What a request says about answers that were computed before (RFC 9111, section 5.2.1)."""

import re
from dataclasses import dataclass

DIRECTIVE = re.compile(r"""([!#$%&'*+.^_`|~0-9a-z-]+)(?:=(?:"([^"]*)"|([^\s,;"]*)))?""")


@dataclass(frozen=True)
class CachePolicy:
    """`max_age_s` None: the time to live.  0: computed for this request.

    With `only_if_cached` nothing is computed; without `may_store` the answer is not kept.
    """

    max_age_s: float | None = None
    may_store: bool = True
    only_if_cached: bool = False

    @property
    def may_look(self) -> bool:
        """Tell whether an answer computed before is good enough at all."""
        return self.max_age_s is None or self.max_age_s > 0


def policy_of(max_staleness_s: float | None, cache_control: str) -> CachePolicy:
    """Return the policy of a request; where it says two things, the stricter one counts.

    Directives that are unknown, or make no sense, are ignored.
    """
    directives = {
        name: quoted or plain for name, quoted, plain in DIRECTIVE.findall(cache_control.lower())
    }
    limits = [] if max_staleness_s is None else [max_staleness_s]
    if directives.get("max-age", "").isdecimal():
        limits.append(float(directives["max-age"][:9]))
    may_store = "no-store" not in directives
    if "no-cache" in directives or not may_store:
        limits.append(0.0)
    return CachePolicy(min(limits, default=None), may_store, "only-if-cached" in directives)

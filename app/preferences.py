"""What a client would rather have: the header Prefer (RFC 7240)."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

# token [= token | quoted string], then parameters, which none of ours has
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s;,"]*)))?[^,]*')


@dataclass(frozen=True)
class Preferences:
    """`wait_s`: seconds to wait for the answer before it is promised for later."""

    respond_async: bool = False
    wait_s: float | None = None

    @property
    def applied(self) -> str:
        """What to say in Preference-Applied."""
        return "respond-async" if self.wait_s is None else f"respond-async, wait={self.wait_s:g}"


def preferences(headers: Iterable[str]) -> Preferences:
    """Read all `Prefer` headers; what is not known, or makes no sense, is no preference.

    Names are in any case, and the first of a name counts.
    """
    found: dict[str, str] = {}
    for match in _PREFERENCE.finditer(",".join(headers)):
        name, quoted, plain = match.groups()
        found.setdefault(name.lower(), quoted or plain or "")
    wait = found.get("wait", "")
    wait_s = float(wait) if re.fullmatch(r"\d{1,9}", wait) else math.nan
    return Preferences("respond-async" in found, None if math.isnan(wait_s) else wait_s)

"""One limit, under the name that clients see, and its header fields."""

from limits import RateLimitItem

from lb.limiter.window import Window

# Texts are kept for so many numbers: making one anew takes longer than the rest of a check.
_KEPT = 4096


class _Texts(dict[int, bytes]):
    """A template's text for each number, made when first asked for."""

    def __init__(self, template: bytes) -> None:
        super().__init__()
        self._template = template

    def __missing__(self, number: int) -> bytes:
        if len(self) >= _KEPT:
            self.clear()
        text = self[number] = self._template % number
        return text


class Policy:
    """`amount` requests in any `window_s` seconds; `refused` counts those beyond.

    `share` is what this process lets pass by itself, by what `window` holds: all, or a part of it
    when others let pass the rest.  Fields as of draft-ietf-httpapi-ratelimit-headers-11: `r`
    requests left, and after `t` seconds at least one more.
    """

    def __init__(self, name: str, item: RateLimitItem, window: Window) -> None:
        self.name = name
        self.window = window
        self.notation = str(item)
        self.amount = self.share = item.amount
        self.window_s = float(item.get_expiry())
        self.refused = 0
        quoted = name.encode()
        self._remaining = _Texts(
            b'RateLimit-Policy: "%b";q=%d;w=%d\r\nRateLimit: "%b";r=%%d'
            % (quoted, self.amount, self.window_s, quoted)
        )
        self._reset = _Texts(b";t=%d\r\n")

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.amount / self.window_s

    def fields(self, remaining: int, reset_s: int) -> bytes:
        """Return the header lines that tell what is left."""
        return self._remaining[remaining] + self._reset[reset_s]

"""The notation of limits: what the settings say, before anything is counted."""

import re
from typing import NamedTuple

import limits
from limits import RateLimitItem

# No character that could end a quoted name in a header field, or that a target spells as %xx.
_PREFIX = re.compile(r"/[A-Za-z0-9._~/-]*")
_KEYS = "key:*"


class Rules(NamedTuple):
    """`paths`: the limit of each path prefix, without a slash at its end; None: no limit.

    `keys`: for each listed API key that has no limit of its own.
    """

    paths: dict[str, RateLimitItem | None]
    keys: RateLimitItem | None


def parse_limit(text: str) -> RateLimitItem | None:
    """Return a limit in the notation of `limits`, like 100/minute; None for off.

    Raises ValueError.
    """
    if text == "off":
        return None
    if len(limits.parse_many(text)) != 1:
        raise ValueError(f"{text!r} is more than one limit: give one, like 100/minute, or off")
    item = limits.parse(text)
    if item.amount < 1:
        raise ValueError(f"{text!r} lets nothing pass: give at least 1")
    return item


def parse_rules(text: str) -> Rules:
    """Parse `prefix=limit; prefix=limit; key:*=limit`.  Raises ValueError that names the rule."""
    paths: dict[str, RateLimitItem | None] = {}
    keys: RateLimitItem | None = None
    for rule in filter(None, (part.strip() for part in text.split(";"))):
        scope, separator, notation = (part.strip() for part in rule.partition("="))
        if not separator:
            raise ValueError(f"{rule!r} has no limit: write it as /path=100/minute")
        try:
            item = parse_limit(notation)
        except ValueError as error:
            raise ValueError(f"in the rule {rule!r}: {error}") from error
        if scope == _KEYS:
            if keys is not None or item is None:
                raise ValueError(f"the rule {rule!r} must give one limit, and only once")
            keys = item
        elif _PREFIX.fullmatch(scope) and "//" not in scope and "/." not in scope:
            prefix = scope.rstrip("/")
            if prefix in paths:
                raise ValueError(f"{scope!r} has more than one rule")
            paths[prefix] = item
        else:
            raise ValueError(
                f"{scope!r} is neither a path of plain characters like /v1/hash, nor {_KEYS}"
            )
    return Rules(paths, keys)

"""Clients that are limited by the API key they send, wherever they come from."""

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from limits import RateLimitItem

from lb.errors import StartFailed
from lb.limiter.policy import Policy
from lb.limiter.rules import parse_limit

_LINE = re.compile(r"([A-Za-z0-9._-]+)\s+([0-9A-Fa-f]{64})(?:\s+(\S.*))?")


class ApiKey(NamedTuple):
    """`digest` is the key's SHA-256, so that the file holds no secret; `item`: its own limit."""

    name: str
    digest: bytes
    item: RateLimitItem | None


class KeyPolicies:
    """The policy and the client's name for each listed key."""

    def __init__(self, entries: Iterable[tuple[ApiKey, Policy]]) -> None:
        # No address has a space, so no key's name passes for one.
        self._by_digest = {key.digest: (policy, f"key {key.name}") for key, policy in entries}

    def of(self, key: bytes) -> tuple[Policy, str] | None:
        """Return who sends `key`; None when it isn't listed: whoever made it up gains nothing."""
        return self._by_digest.get(sha256(key).digest())


def read_keys(path: str) -> tuple[ApiKey, ...]:
    """Read lines of `name sha256 limit`; the limit may be left out, `#` begins a comment line.

    Raises StartFailed that names the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartFailed(f"MILLRACE_RATE_LIMIT_KEYS_FILE cannot be read: {error}") from error
    keys: list[ApiKey] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        place = f"MILLRACE_RATE_LIMIT_KEYS_FILE, line {number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise StartFailed(f"{place}: write a name, the key's SHA-256 in hex, and its limit")
        try:
            item = parse_limit(match[3]) if match[3] else None
        except ValueError as error:
            raise StartFailed(f"{place}: {error}") from error
        if match[3] and item is None:
            raise StartFailed(f"{place}: a key needs a limit, and cannot be off")
        key = ApiKey(match[1], bytes.fromhex(match[2]), item)
        if any(key.name == other.name or key.digest == other.digest for other in keys):
            raise StartFailed(f"{place}: this name or key stands above already")
        keys.append(key)
    return tuple(keys)

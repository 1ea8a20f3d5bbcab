"""Has tables accelerated through the API, and waits until there is nothing left to build."""

import http.client
import json
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from bench.query.segments import segment_files
from bench.query.stack import Stack

LIMIT_S = 3600.0
POLL_S = 0.1
# longer than a keeper's pause between rounds, in which it may find that something is to be merged
QUIET_S = 3.0


def accelerate(stack: Stack, names: Sequence[str]) -> float:
    """Order it, and return the seconds until the last segment was there.

    Returns only once keepers leave all as it is.
    """
    began = time.monotonic()
    for name in names:
        _call(stack, "POST", f"/v1/tables/{name}/acceleration")
    changed, seen = time.monotonic(), {file.path for file in segment_files(stack)}
    while time.monotonic() - began < LIMIT_S:
        time.sleep(POLL_S)
        found = {file.path for file in segment_files(stack)}
        if found != seen:
            changed, seen = time.monotonic(), found
        if time.monotonic() - changed > QUIET_S and all(_is_ready(stack, one) for one in names):
            return changed - began
    raise SystemExit(f"Segments were not built within {LIMIT_S:g} s.")


def remove(stack: Stack, names: Sequence[str]) -> None:
    """End the acceleration of those of these tables that have one."""
    for name in names:
        if _acceleration(stack, name) is not None:
            _call(stack, "DELETE", f"/v1/tables/{name}/acceleration")
    while any(_acceleration(stack, name) is not None for name in names):
        time.sleep(POLL_S)


def _is_ready(stack: Stack, name: str) -> bool:
    known = _acceleration(stack, name)
    if known is not None and known["state"] == "refused":
        raise SystemExit(f"{name}: {known['failure']['reason']}")
    return (
        known is not None
        and known["state"] == "ready"
        and known["building"] == 0
        and known["clean_buckets"] == known["buckets"]
    )


def _acceleration(stack: Stack, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _call(stack, "GET", f"/v1/tables/{name}")["acceleration"]
    return found


def _call(stack: Stack, method: str, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    with closing(connection):
        connection.request(method, path)
        response = connection.getresponse()
        data = response.read()
    if response.status >= 300:
        raise SystemExit(f"{method} {path}: {response.status} {data.decode()}")
    return json.loads(data) if data else None

"""Asking for something durable as a sensible client does: again, with the same key, if in doubt."""

from collections.abc import Mapping

from cli.drill.client import Client
from cli.drill.event import Attempt
from cli.drill.promises import Promise, Promises

PATIENCE_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
BUSY, LIMITED = 409, 429  # another request with this key is at work; too many requests


def submit(
    client: Client, promises: Promises, promise: Promise, kind: str, path: str, body: object,
    headers: Mapping[str, str],
) -> str | None:  # fmt: skip
    """Send it until it is acknowledged, refused for good, or patience is over; return its id."""
    promises.ask(promise)
    given = {**headers, "Idempotency-Key": promise.key}
    pause_s, end = FIRST_PAUSE_S, client.history.now() + PATIENCE_S
    while True:
        reply = client.ask("POST", path, body, given)
        id_ = reply.headers.get("location", "").rpartition("/")[2]
        client.note(kind, reply, Attempt(promise.key, once=True, reply=id_))
        if reply.is_fine:
            promises.acknowledge(promise, id_, reply.completed_at)
            return id_
        for_good = reply.status is not None and 400 <= reply.status < 500
        if (for_good and reply.status not in (BUSY, LIMITED)) or client.history.now() > end:
            return None
        wait_s = min(reply.retry_after_s or pause_s, LONGEST_PAUSE_S)
        if client.pause(wait_s * client.rng.uniform(0.5, 1.0)):
            return None
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

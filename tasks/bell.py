"""Calls idle workers to durable work: the stream of the bulk lane, which says "there is a task"."""

import redis
import structlog
from redis.exceptions import ResponseError

from tasks.errors import QueueUnavailable
from tasks.lanes import BULK, GROUP
from tasks.link import Link, accepted, borrowed, group_is_missing
from tasks.scripts import RING
from tasks.slot import create_group

MOST_NOTICES = 64  # more slots than that are woken in several steps

_log = structlog.get_logger(__name__)


class Bell:
    """Rings when tasks have become ready; each notice wakes one slot.

    A notice names no task: which is next is the ledger's to say, by priority and turn at the time
    of the claim.  So one that is lost, doubled or late does no harm, and the stream need not hold
    one for each task: a slot that was woken goes on until nothing is due.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def ring(self, tasks: int) -> bool:
        """Wake up to `tasks` slots; False, and nothing worse, while Redis is away."""
        try:
            with borrowed(self._client) as link:
                link.run(RING, [BULK.stream], [min(tasks, MOST_NOTICES), MOST_NOTICES])
        except QueueUnavailable as error:
            _log.debug("workers not called", error=str(error))
            return False
        return True


def await_ring(link: Link, worker: str, timeout_s: float) -> bool:
    """Wait until somebody rings; False if nobody did in time.  Raises QueueUnavailable.

    The notice is not kept as pending: nothing depends on it once it has been read.
    """
    reply = link.calls((
        "XREADGROUP", "GROUP", GROUP, worker, "COUNT", 1, "BLOCK", max(1, int(timeout_s * 1000)),
        "NOACK", "STREAMS", BULK.stream, ">",
    ))[0]  # fmt: skip
    if group_is_missing(reply if isinstance(reply, ResponseError) else None):
        create_group(link, BULK)
        return False
    reply = accepted(reply)
    if not isinstance(reply, list):
        return False
    [[_, [[entry_id, _fields]]]] = reply  # type: ignore[misc]  # as the protocol says
    if isinstance(entry_id, bytes):
        link.call("XDEL", BULK.stream, entry_id)
    return True


def leave(link: Link, worker: str) -> None:
    """Take a worker's consumer out of the lane's group.  Raises QueueUnavailable."""
    link.calls(("XGROUP", "DELCONSUMER", BULK.stream, GROUP, worker))

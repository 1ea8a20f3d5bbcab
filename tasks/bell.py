"""Calls idle workers to durable work: the stream of the bulk lane, which says "there is a task"."""

import redis
import structlog
from redis.exceptions import ResponseError

from tasks.errors import QueueUnavailable
from tasks.lanes import BULK, GROUP, PREFIX
from tasks.link import Link, accepted, borrowed, group_is_missing
from tasks.scripts import RING
from tasks.slot import create_group

MOST_NOTICES = 64  # more slots than that are woken in several steps
MOST_COUNTED = 1000  # tasks that are due; beyond that their number says nothing more
DUE = f"{PREFIX}lane:bulk:due"
DUE_TTL_S = 60.0

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

    def tell(self, due: int) -> bool:
        """Note in Redis how many tasks are due, for who has no ledger; False while it is away.

        The number of notices says nothing of that: some are as old as the last busy slot.
        """
        try:
            with borrowed(self._client) as link:
                link.call("SET", DUE, due, "PX", int(DUE_TTL_S * 1000))
        except QueueUnavailable as error:
            _log.debug("tasks that are due not told of", error=str(error))
            return False
        return True


def due_tasks(client: redis.Redis) -> int:
    """Return how many tasks of jobs were due when it was last told; 0 where nobody has of late.

    Counted to MOST_COUNTED.  Raises QueueUnavailable.
    """
    with borrowed(client) as link:
        reply = link.call("GET", DUE)
    return int(reply) if isinstance(reply, bytes) and reply.isdigit() else 0


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

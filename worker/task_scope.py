"""Runs a lane's tasks under the ids of the request that they are part of."""

from tasks.lanes import Lane
from tasks.lease import Handler, Lease
from telemetry.carrier import Continuations
from telemetry.spans import Attributes


def within_request(continuations: Continuations, lane: Lane, handler: Handler) -> Handler:
    """Return `handler`, whose log lines and spans belong to who sent the task."""

    def run(lease: Lease) -> bytes:
        task = lease.task
        attributes: Attributes = {
            "millrace.lane": lane.name,
            "millrace.index": task.index,
            "millrace.attempt": lease.deliveries,
            "millrace.copy": task.is_copy,
            "millrace.queued_ms": round(lease.queued_s * 1000, 3),
        }
        with continuations.of(
            task.headers,
            f"{lane.name} task",
            attributes,
            what=f"{task.reply_to}/{task.id}",
            attempt=lease.deliveries,
        ):
            return handler(lease)

    return run

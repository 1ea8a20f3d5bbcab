"""A worker that does what its tasks say: run as a process of its own, or in a test's threads."""

import os
import signal
import sys
import threading

from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.errors import MessageMalformed, TaskFailed
from tasks.lanes import QUERY
from tasks.lease import Lease
from tasks.settings import QueueSettings


def handle(lease: Lease) -> bytes:
    """Run `echo TEXT`, `wait SECONDS` (cancellable), `fail`, `break`, `misread` or `die`."""
    verb, _, rest = lease.task.payload.decode().partition(" ")
    match verb:
        case "echo":
            return rest.encode()
        case "wait":
            cancelled = threading.Event()
            with lease.cancelling(cancelled.set):
                if cancelled.wait(float(rest)):
                    raise TaskFailed("cancelled")
            return b"waited"
        case "fail":
            raise TaskFailed(rest)
        case "misread":
            raise MessageMalformed("no such payload")
        case "die":  # as a worker does that runs out of memory
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("not reached")
        case _:
            raise ValueError(rest)


def main() -> None:
    """Serve until SIGTERM."""
    settings = QueueSettings()
    consumer = Consumer(
        connect(settings, "test"),
        settings,
        name=worker_name(),
        lanes=[LaneSlots(QUERY, int(sys.argv[1]), handle)],
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    thread = threading.Thread(target=consumer.run, kwargs={"drain_timeout_s": 10.0})
    thread.start()
    signal.sigwait({signal.SIGTERM})
    consumer.stop()
    thread.join()


if __name__ == "__main__":
    main()

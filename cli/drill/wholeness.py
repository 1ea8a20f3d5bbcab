"""Whether the whole stack is there: every program, every backend, every worker, and no mode on.

Answers can be right long before that: two replicas answer while the third is being started.  A
fault that comes then hits a stack that is still short of something, which is another fault.
"""

import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from cli.api.client import ApiClient
from cli.errors import CommandError
from cli.faults.processes import REPLICAS, WORKERS
from cli.faults.stack import Stack
from cli.supervisor.leftovers import leader_of
from cli.supervisor.run_file import Record

PATIENCE_S = 2.0
READY, SERVING = "ready", "serving"

Document = Mapping[str, Any]
IsIt = Callable[[Document], bool]  # whether an entry of the roll is that worker's


@dataclass(frozen=True)
class Wholeness:
    """Knows what is to be there: the programs of `stack`, and the balancer's serving processes."""

    stack: Stack
    programs: frozenset[str]
    serving: int

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Take what is there now as the whole."""
        names = frozenset(one.name for one in stack.run().programs)
        balancer = document(stack.admin_address, "/lb/status")
        return cls(stack, names, balancer["serving"] if balancer is not None else 1)

    def missing(self) -> list[str]:
        """Return what is not as it is to be, a line each; none if all is."""
        records = {one.name: one for one in self.stack.run().programs if leader_of(one) is not None}
        return [
            *(f"{name} does not run" for name in sorted(self.programs - records.keys())),
            *of_balancer(document(self.stack.admin_address, "/lb/status"), self.serving),
            *self._of_replicas(records),
        ]

    def _of_replicas(self, records: Mapping[str, Record]) -> Iterator[str]:
        host = socket.gethostname()
        workers = {
            name: partial(_has_beaten, host, one.pid)
            for name, one in records.items()
            if name.startswith(WORKERS)
        }
        for name, one in sorted(records.items()):
            if name.startswith(REPLICAS):
                status = document(f"http://{one.address}", "/v1/status")
                yield from of_replica(name, status, workers)


def _has_beaten(host: str, pid: int, entry: Document) -> bool:
    return bool(entry["host"] == host and entry["pid"] == pid)


def of_balancer(status: Document | None, serving: int) -> Iterator[str]:
    """Yield what a balancer's status says is missing; `serving`: processes that are to serve."""
    if status is None:
        yield "lb does not tell its status"
        return
    # its parent process answers alone while none serves, and knows of no backend
    for backend in status.get("backends", ()):
        if backend["state"] != READY:
            yield f"backend {backend['id']} is {backend['state']}"
    if status["serving"] < serving:
        yield f"{status['serving']} of {serving} processes of lb serve"


def of_replica(name: str, status: Document | None, workers: Mapping[str, IsIt]) -> Iterator[str]:
    """Yield what a replica's status says is missing; `workers`, by name, are to be on its roll."""
    if status is None:
        yield f"{name} does not tell its status"
        return
    if status["replica"]["state"] != READY:
        yield f"{name} is {status['replica']['state']}"
    yield from (f"{name}: {mode['name']}" for mode in status["modes"])
    if status["database"]["breaker"] != "closed":
        yield f"{name}: breaker {status['database']['breaker']}"
    yield from _off_the_roll(name, status["workers"]["items"], workers)


def _off_the_roll(
    name: str, roll: Collection[Document], workers: Mapping[str, IsIt]
) -> Iterator[str]:
    for worker, is_it in workers.items():
        if not any(map(is_it, roll)):
            yield f"{name}: {worker} is not on the roll"


def document(address: str, path: str, headers: Mapping[str, str] | None = None) -> Document | None:
    """Return what is answered; None where nothing is."""
    try:
        return ApiClient(address, None, silence_s=PATIENCE_S).document("GET", path, headers=headers)
    except (CommandError, ValueError):
        return None

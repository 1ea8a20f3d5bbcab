"""Faults of processes: killed, or stopped for a while."""

import contextlib
import random
import signal
from collections.abc import Callable

import psutil

from cli.faults.fault import Fault, FaultImpossible, Held, Injected, Tier, Undoing
from cli.faults.stack import Stack
from cli.supervisor.leftovers import leader_of
from cli.supervisor.process import is_running

POSTGRESQL, VALKEY, BALANCER = "PostgreSQL", "Valkey", "lb"
WORKERS, REPLICAS = "worker-", "app-"
FOR_GOOD_S = 0.0  # there is nothing to leave in place: the supervisor starts it again
STOPPED_S = (1.0, 10.0)  # well below the 30 s after which the supervisor ends what is silent


class Processes:
    """Finds processes of a stack by its run file, and no others.

    Each is looked at before it is hit: process id, start time, and command or file.
    """

    def __init__(self, stack: Stack, rng: random.Random) -> None:
        self._stack = stack
        self._rng = rng

    def all(self, prefix: str) -> dict[str, psutil.Process]:
        """Return the running programs whose names begin so, by name."""
        records = [one for one in self._stack.run().programs if one.name.startswith(prefix)]
        found = {one.name: leader_of(one) for one in sorted(records, key=lambda one: one.name)}
        return {name: process for name, process in found.items() if process is not None}

    def one(self, prefix: str) -> tuple[str, psutil.Process]:
        """Choose one of them.  Raises FaultImpossible."""
        running = self.all(prefix)
        if not running:
            raise FaultImpossible(f"{prefix.rstrip('-')}: none runs just now")
        return self._rng.choice(list(running.items()))


def tree(leader: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it."""
    try:
        return [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return []


def send(process: psutil.Process, number: signal.Signals) -> bool:
    """Send a signal to a process that still is the same; return whether it was."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def stop_tree(leader: psutil.Process, undoing: Undoing) -> int:
    """Stop a process and all below it; return how many.  Raises FaultImpossible."""
    stopped: set[psutil.Process] = set()
    # again, until there are no new ones: it may fork while its children are being stopped
    while new := [one for one in tree(leader) if one not in stopped]:
        for process in new:
            undoing.later(send, process, signal.SIGCONT)
            if send(process, signal.SIGSTOP):
                stopped.add(process)
            elif process == leader:
                raise FaultImpossible(f"pid {leader.pid} has just ended")
            else:
                stopped.add(process)
    return len(stopped)


def resume(stack: Stack) -> None:
    """Let every stopped process of a stack go on."""
    for record in stack.run().programs:
        leader = leader_of(record)
        for process in tree(leader) if leader is not None else []:
            with contextlib.suppress(psutil.Error):
                if process.status() == psutil.STATUS_STOPPED:
                    process.send_signal(signal.SIGCONT)


def process_faults(stack: Stack, rng: random.Random) -> list[Fault]:
    """Return the faults of programs."""
    processes = Processes(stack, rng)

    def signalled(prefix: str, number: signal.Signals) -> Callable[[], Injected]:
        def inject() -> Injected:
            name, leader = processes.one(prefix)
            if not send(leader, number):
                raise FaultImpossible(f"{name} has just ended")
            return Held(f"{number.name} to {name} (pid {leader.pid})", FOR_GOOD_S)

        return inject

    def stopped(prefix: str) -> Callable[[], Injected]:
        def inject() -> Injected:
            name, leader = processes.one(prefix)
            with Undoing() as undoing:
                count = stop_tree(leader, undoing)
                told = f"SIGSTOP to the {count} processes of {name} (pid {leader.pid})"
                return undoing.held(told, rng.uniform(*STOPPED_S))

        return inject

    def all_workers() -> Injected:
        leaders = processes.all(WORKERS)
        hit = [name for name, leader in leaders.items() if send(leader, signal.SIGKILL)]
        if not hit:
            raise FaultImpossible("no worker runs just now")
        return Held(f"SIGKILL to {', '.join(hit)}", FOR_GOOD_S)

    def balancer_child(number: signal.Signals) -> Callable[[], Injected]:
        def inject() -> Injected:
            _, leader = processes.one(BALANCER)
            children = [one for one in tree(leader)[1:] if is_running(one)]
            if not children:
                raise FaultImpossible("the balancer has no serving process just now")
            child = rng.choice(children)
            held_s = rng.uniform(*STOPPED_S) if number is signal.SIGSTOP else FOR_GOOD_S
            with Undoing() as undoing:
                if number is signal.SIGSTOP:
                    undoing.later(send, child, signal.SIGCONT)
                if not send(child, number):
                    raise FaultImpossible(f"pid {child.pid} of the balancer has just ended")
                told = f"{number.name} to pid {child.pid}, a serving process of the balancer"
                return undoing.held(told, held_s)

        return inject

    kill = signal.SIGKILL
    rows: list[tuple[str, Tier, Callable[[], Injected]]] = [
        ("kill-worker", "worker", signalled(WORKERS, kill)),
        ("stop-worker", "worker", stopped(WORKERS)),
        ("kill-all-workers", "workers", all_workers),
        ("kill-replica", "replica", signalled(REPLICAS, kill)),
        ("stop-replica", "replica", stopped(REPLICAS)),
        ("kill-balancer", "balancer", signalled(BALANCER, kill)),
        ("kill-balancer-child", "balancer", balancer_child(kill)),
        ("stop-balancer-child", "balancer", balancer_child(signal.SIGSTOP)),
        # Valkey's orderly end: what it holds is written, and read again at its start
        ("restart-redis", "redis", signalled(VALKEY, signal.SIGTERM)),
        ("kill-redis", "redis", signalled(VALKEY, kill)),
        ("hang-redis", "redis", stopped(VALKEY)),
        # PostgreSQL's "fast" end: sessions are ended, transactions rolled back
        ("restart-postgresql", "postgresql", signalled(POSTGRESQL, signal.SIGINT)),
        ("hang-postgresql", "postgresql", stopped(POSTGRESQL)),
    ]
    return [Fault(name, tier, inject) for name, tier, inject in rows]

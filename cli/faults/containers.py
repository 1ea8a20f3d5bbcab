"""Faults of containers: killed, paused, restarted, taken off their networks."""

import random
from collections.abc import Callable

from cli.compose.container import Container
from cli.compose.docker import DockerFailed
from cli.compose.plugs import Plugs
from cli.compose.project import Project
from cli.faults.fault import Fault, FaultImpossible, Held, Injected, Tier, Undoing
from cli.faults.processes import FOR_GOOD_S

PAUSED_S = (1.0, 10.0)
UNPLUGGED_S = (2.0, 10.0)
DEAD_S = (0.2, 3.0)  # what only its operator starts again
RESTART_LIMIT_S = 120.0  # it may finish what it holds, for as long as stop_grace_period says
# SIGKILL to all processes but the container's first, which ends with the last of its own
KILL = ("sh", "-c", "kill -9 -1")


def container_faults(project: Project, plugs: Plugs, rng: random.Random) -> list[Fault]:
    """Return the faults of containers."""
    harm = _Harm(project, plugs, rng)
    rows: list[tuple[str, Tier, Callable[[str], Injected], str]] = [
        ("kill-worker", "worker", harm.kill, "worker"),
        ("stop-worker", "worker", harm.pause, "worker"),
        ("restart-worker", "worker", harm.restart, "worker"),
        ("unplug-worker", "network", harm.unplug, "worker"),
        ("kill-all-workers", "workers", harm.kill_all, "worker"),
        ("kill-replica", "replica", harm.kill, "app"),
        ("stop-replica", "replica", harm.pause, "app"),
        ("restart-replica", "replica", harm.restart, "app"),
        ("unplug-replica", "network", harm.unplug, "app"),
        ("kill-balancer", "balancer", harm.kill, "lb"),
        ("stop-balancer", "balancer", harm.pause, "lb"),
        ("restart-balancer", "balancer", harm.restart, "lb"),
        ("kill-redis", "redis", harm.kill, "redis"),
        ("hang-redis", "redis", harm.pause, "redis"),
        ("restart-redis", "redis", harm.restart, "redis"),
        ("unplug-redis", "network", harm.unplug, "redis"),
        ("kill-postgresql", "postgresql", harm.kill, "db"),
        ("hang-postgresql", "postgresql", harm.pause, "db"),
        ("restart-postgresql", "postgresql", harm.restart, "db"),
        ("unplug-postgresql", "network", harm.unplug, "db"),
    ]
    return [_fault(*row) for row in rows]


def mend_containers(project: Project, plugs: Plugs) -> None:
    """Take back what a drill that was killed may have left.  Raises DockerFailed."""
    plugs.put_back()
    for one in project.containers():
        if one.state == "paused":
            project.docker("unpause", one.id)
        elif one.state in {"exited", "created"}:
            project.docker("start", one.id)


def _fault(name: str, tier: Tier, do: Callable[[str], Injected], service: str) -> Fault:
    def inject() -> Injected:
        try:
            return do(service)
        except DockerFailed as error:
            raise FaultImpossible(str(error)) from error

    return Fault(name, tier, inject)


class _Harm:
    """Every method takes a service, chooses one of its containers, and raises DockerFailed."""

    def __init__(self, project: Project, plugs: Plugs, rng: random.Random) -> None:
        self._project = project
        self._docker = project.docker
        self._plugs = plugs
        self._rng = rng

    def kill(self, service: str) -> Injected:
        return self._kill([self._one(service)])

    def kill_all(self, service: str) -> Injected:
        return self._kill(self._running(service))

    def pause(self, service: str) -> Injected:
        one = self._one(service)
        with Undoing() as undoing:
            undoing.later(self._unpause, one)
            self._docker("pause", one.id)
            return undoing.held(f"docker pause {one.name}", self._rng.uniform(*PAUSED_S))

    def restart(self, service: str) -> Injected:
        one = self._one(service)
        self._docker("restart", one.id, limit_s=RESTART_LIMIT_S)
        return Held(f"docker restart {one.name}", FOR_GOOD_S)

    def unplug(self, service: str) -> Injected:
        one = self._one(service)
        with Undoing() as undoing:
            undoing.later(self._plugs.put_back)
            self._plugs.pull(one)
            told = f"docker network disconnect {', '.join(one.networks)} {one.name}"
            return undoing.held(told, self._rng.uniform(*UNPLUGGED_S))

    def _kill(self, those: list[Container]) -> Injected:
        """Kill containers so that the engine takes it for a crash, where that can be done.

        It starts nothing again that `docker kill` ended: that counts as its operator's wish.
        And a first process cannot be killed from within.
        """
        with Undoing() as undoing:
            by_hand = [one for one in those if not one.has_init]
            for one in those:
                if one.has_init:
                    self._kill_from_within(one)
                else:
                    undoing.later(self._start, one)
                    self._docker("kill", one.id)
            told = f"SIGKILL to {', '.join(one.name for one in those)}"
            return undoing.held(told, self._rng.uniform(*DEAD_S) if by_hand else FOR_GOOD_S)

    def _kill_from_within(self, one: Container) -> None:
        try:
            self._docker("exec", one.id, *KILL)
        except DockerFailed:
            # with the container ends what was run in it; else nothing was done
            [found] = self._docker.inspect([one.id])
            now = Container.of(found)
            if now.state == "running" and now.started_at == one.started_at:
                raise

    def _one(self, service: str) -> Container:
        return self._rng.choice(self._running(service))

    def _running(self, service: str) -> list[Container]:
        found = [one for one in self._project.of(service) if one.state == "running"]
        # asked anew each time: the stack may have been started again meanwhile
        allowed = [one for one in found if one.may_be_harmed]
        if not allowed:
            raise DockerFailed(f"{service}: none runs just now that may be harmed")
        return allowed

    def _unpause(self, one: Container) -> None:
        if self._state(one) == "paused":
            self._docker("unpause", one.id)

    def _start(self, one: Container) -> None:
        if self._state(one) in {"exited", "created"}:
            self._docker("start", one.id)

    def _state(self, one: Container) -> str:
        [found] = self._docker.inspect([one.id])
        return Container.of(found).state

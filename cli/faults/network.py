"""Faults of the network between the programs and the two servers."""

import random
from collections.abc import Callable

from cli.faults.control import Server
from cli.faults.fault import Fault, Held, Injected, Undoing
from cli.faults.processes import FOR_GOOD_S
from cli.faults.rules import Rule, Rules
from cli.faults.stack import Stack

HELD_S = (2.0, 8.0)
DELAY_S = (0.02, 0.5)


def network_faults(stack: Stack, rng: random.Random) -> list[Fault]:
    """Return the faults of the network.  One holds at a time for each server: the last."""
    control = stack.control

    def ruled(server: Server, told: str, rules: Rules) -> Injected:
        with Undoing() as undoing:
            undoing.later(control.reset, server)
            control.set(server, rules)
            return undoing.held(told, rng.uniform(*HELD_S))

    def slow(server: Server) -> Injected:
        delay_s = rng.uniform(*DELAY_S)
        rule = Rule(delay_s=delay_s, jitter_s=delay_s / 2)
        told = f"{server} answers {1000 * delay_s:.0f} to {1500 * delay_s:.0f} ms later"
        return ruled(server, told, Rules(to_client=rule))

    def cut(server: Server) -> Injected:
        return Held(f"cut all {control.cut(server)} connections to {server}", FOR_GOOD_S)

    def blackhole(server: Server) -> Injected:
        told = f"what is sent to {server} vanishes, and nothing comes back"
        silent = Rule(swallow=True)
        return ruled(server, told, Rules(to_server=silent, to_client=silent))

    def half_open(server: Server) -> Injected:
        with Undoing() as undoing:
            undoing.later(control.reset, server)
            count = control.half_open(server)
            told = f"{server} has closed {count} connections, and nobody was told"
            return undoing.held(told, rng.uniform(*HELD_S))

    def of(name: str, server: Server, make: Callable[[Server], Injected]) -> Fault:
        return Fault(f"{name}-{server}", "network", lambda: make(server))

    both: tuple[Server, Server] = ("postgresql", "redis")
    kinds = (("slow", slow), ("cut", cut), ("blackhole", blackhole), ("half-open", half_open))
    return [of(name, server, make) for name, make in kinds for server in both]

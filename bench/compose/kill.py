"""Killing each service in turn, and restarting the servers, while clients ask on.

    python bench/compose/kill.py http://127.0.0.1:8080

Against the running stack of docker-compose.production.yml with the demo table, on the same machine.
The rate limit must be off (MILLRACE_RATE_LIMIT=off).  One container of each service is killed by
SIGKILL; Compose's restart policy, or `up`, brings it back.
"""

import argparse
import time

from clients import Clients, known_answers, mix
from stack import Stack, kill, wait_for

CALM_S = 10.0
STEADY_S = 3.0
LIMIT_S = 180.0


def is_calm(clients: Clients, since: float) -> bool:
    """Tell whether there were answers, and only right ones, for the last seconds."""
    now = clients.now()
    if now - since < STEADY_S:
        return False
    good, problems = clients.tally.between(now - STEADY_S, now)
    return good > 0 and not problems


def told(clients: Clients, name: str, began: float) -> None:
    """Wait until all is as before, and tell what clients saw until then."""
    wait_for(f"calm after {name}", lambda: is_calm(clients, began), LIMIT_S)
    good, problems = clients.tally.between(began, clients.now())
    last = max((at for at, _, _ in problems), default=began)
    slowest = max((s for at, s in list(clients.tally.seconds) if at >= began), default=0.0)
    print(
        f"{name}: {good} answered right, {len(problems)} failed, the last one {last - began:.1f} s "
        f"after it; slowest answer {slowest:.1f} s"
    )
    for what in sorted({problem[:110] for _, _, problem in problems})[:4]:
        print(f"    {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pause-s", type=float, default=0.1)
    parser.add_argument("--project", default="millrace")
    given = parser.parse_args()
    stack = Stack(given.project)
    actions = mix(known_answers(stack))
    with Clients(given.url, actions, given.clients, given.pause_s) as clients:
        time.sleep(CALM_S)
        for service in ("worker", "app", "redis", "db", "lb"):
            began = clients.now()
            kill([stack.containers(service)[0].name])
            # an engine takes `docker kill` for an operator's wish, and restarts nothing by itself
            stack.compose("up", "-d", "--no-recreate", "--no-build", service)
            told(clients, f"kill {service}, and up", began)
            time.sleep(CALM_S)
        for service in ("redis", "db"):
            began = clients.now()
            stack.compose("restart", service)
            told(clients, f"restart {service}", began)
            time.sleep(CALM_S)
    wrong = sum(1 for _, _, what in clients.tally.problems if what.startswith("WRONG"))
    print(f"in all: {dict(clients.tally.good)}; {wrong} wrong")


if __name__ == "__main__":
    main()

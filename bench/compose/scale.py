"""Scaling under load: replicas 1, 5, 2 and workers 1, 8, 1, then 10 and 20, while clients ask on.

    python bench/compose/scale.py http://127.0.0.1:8080

Against the running stack of docker-compose.production.yml with the demo table, on the same machine,
which must be Linux: replicas and balancer are asked at their addresses inside.  The rate limit must
be off (MILLRACE_RATE_LIMIT=off).
"""

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from clients import Clients, known_answers, mix
from stack import Container, Stack, wait_for

SETTLE_S = 10.0
LIMIT_S = 300.0


def watch_newcomer(stack: Stack, new: Container) -> str:
    """Return when a new replica was ready and when the balancer sent it the first request."""

    def is_ready() -> bool:
        try:
            url = f"http://{new.address}:8000/health/ready"
            return httpx.get(url, timeout=1.0).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(f"{new.name} is ready", is_ready, LIMIT_S)
    ready_s = new.age_s()

    def serves() -> bool:
        return bool(stack.backends().get(f"{new.address}:8000", {}).get("requests"))

    wait_for(f"{new.name} serves", serves, LIMIT_S)
    later_s = new.age_s() - ready_s
    return f"{new.name}: ready {ready_s:.1f} s after its start, served {later_s:.1f} s later"


@contextmanager
def phase(clients: Clients, name: str) -> Iterator[None]:
    """Tell what became of the requests of a phase."""
    began = clients.now()
    yield
    time.sleep(SETTLE_S)
    good, problems = clients.tally.between(began, clients.now())
    refused = sum(1 for one in problems if "/problems/overloaded" in one[2])
    print(
        f"{name}: {clients.now() - began:.0f} s, {good} answered right, {refused} refused for "
        f"overload, {len(problems) - refused} failed"
    )
    for at, kind, what in [one for one in problems if "/problems/overloaded" not in one[2]][:5]:
        print(f"    at {at:.1f} s, {kind}: {what}")


def scale_replicas(stack: Stack, count: int) -> None:
    """Bring the replicas to `count`; tell when each new one serves."""
    before = {one.name for one in stack.containers("app")}
    newcomers = max(0, count - len(before))
    worker = threading.Thread(target=stack.scale, kwargs={"app": count})
    worker.start()
    watched: list[threading.Thread] = []
    while len(watched) < newcomers:
        for one in stack.containers("app"):
            if one.name not in before and one.address:
                before.add(one.name)
                thread = threading.Thread(
                    target=lambda new=one: print("   ", watch_newcomer(stack, new))
                )
                watched.append(thread)
                thread.start()
        time.sleep(0.2)
    for thread in (worker, *watched):
        thread.join()


def connections(stack: Stack) -> int:
    """Return how many sessions of clients PostgreSQL has."""
    return int(
        stack.psql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    )


def reach_largest(stack: Stack, clients: Clients) -> None:
    """Bring replicas to 10 and workers to 20; tell how many connections they take."""
    most = int(stack.psql("SHOW max_connections"))
    with phase(clients, "replicas to 10, workers to 20"):
        stack.scale(app=10, worker=20)
        seen = 0
        for _ in range(20):
            seen = max(seen, connections(stack))
            time.sleep(1.0)
        print(f"    connections: {seen} at most of {most}")
    with phase(clients, "replicas to 2, workers to 2"):
        stack.scale(app=2, worker=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pause-s", type=float, default=0.1)
    parser.add_argument("--project", default="millrace")
    parser.add_argument("--no-largest", action="store_true", help="leave out 10 and 20")
    given = parser.parse_args()
    stack = Stack(given.project)
    stack.scale(app=1, worker=1)
    wait_for("one replica", lambda: len(stack.backends()) == 1, LIMIT_S)
    actions = mix(known_answers(stack))
    with Clients(given.url, actions, given.clients, given.pause_s) as clients:
        with phase(clients, "before"):
            pass
        with phase(clients, "replicas 1 to 5"):
            scale_replicas(stack, 5)
        with phase(clients, "replicas 5 to 2"):
            scale_replicas(stack, 2)
        with phase(clients, "workers 1 to 8"):
            stack.scale(worker=8)
        with phase(clients, "workers 8 to 1"):
            stack.scale(worker=1)
        if not given.no_largest:
            reach_largest(stack, clients)
    tally = clients.tally
    wrong = sum(1 for _, _, what in tally.problems if what.startswith("WRONG"))
    print(f"in all: {dict(tally.good)}; {len(tally.problems)} not answered, {wrong} wrong")


if __name__ == "__main__":
    main()

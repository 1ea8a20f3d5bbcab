"""What a stack is short of, by what its programs say."""

from typing import Any

from cli.drill.wholeness import IsIt, of_balancer, of_replica

WORKERS: dict[str, IsIt] = {
    "worker-1": lambda entry: bool(entry["pid"] == 7),
    "worker-2": lambda entry: bool(entry["pid"] == 8),
}


def replica(
    state: str = "ready",
    modes: tuple[str, ...] = (),
    breaker: str = "closed",
    pids: tuple[int, ...] = (7, 8),
) -> dict[str, Any]:
    return {
        "replica": {"state": state},
        "modes": [{"name": name} for name in modes],
        "database": {"breaker": breaker},
        "workers": {"items": [{"host": "here", "pid": pid} for pid in pids]},
    }


def balancer(*states: str, serving: int = 2) -> dict[str, Any]:
    backends = [{"id": f"b{place}", "state": state} for place, state in enumerate(states, 1)]
    return {"backends": backends, "serving": serving}


def test_a_stack_with_everything_in_its_place_is_short_of_nothing() -> None:
    assert list(of_balancer(balancer("ready", "ready"), 2)) == []
    assert list(of_replica("app-1", replica(), WORKERS)) == []


def test_what_does_not_answer_is_missing() -> None:
    assert list(of_balancer(None, 1)) == ["lb does not tell its status"]
    assert list(of_replica("app-1", None, WORKERS)) == ["app-1 does not tell its status"]


def test_a_backend_that_gets_no_requests_is_missing() -> None:
    assert list(of_balancer(balancer("ready", "ejected"), 2)) == ["backend b2 is ejected"]


def test_a_serving_process_that_is_being_replaced_is_missing() -> None:
    assert list(of_balancer(balancer("ready", serving=1), 2)) == ["1 of 2 processes of lb serve"]
    assert list(of_balancer({"serving": 0}, 1)) == ["0 of 1 processes of lb serve"]


def test_a_replica_that_is_not_as_usual_says_why() -> None:
    found = of_replica("app-1", replica("degraded", ("no_redis",), "half_open"), {})
    assert list(found) == ["app-1 is degraded", "app-1: no_redis", "app-1: breaker half_open"]


def test_each_replica_has_to_know_each_worker_that_runs() -> None:
    found = of_replica("app-2", replica(pids=(7, 99)), WORKERS)
    assert list(found) == ["app-2: worker-2 is not on the roll"]

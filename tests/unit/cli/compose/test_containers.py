"""Each fault of containers does what it says, to one that may be harmed, and is taken back."""

import random
from pathlib import Path

import pytest

from cli.compose.plugs import Plugs
from cli.compose.project import HARMED, Project
from cli.faults.containers import KILL, container_faults, mend_containers
from cli.faults.fault import Fault, FaultImpossible
from tests.unit.cli.compose.engine import FILE, Engine, described


@pytest.fixture
def engine() -> Engine:
    return Engine(*map(described, HARMED))


@pytest.fixture
def plugs(engine: Engine, tmp_path: Path) -> Plugs:
    return Plugs(engine.docker, tmp_path / "drills" / "unplugged.json")


def project(engine: Engine) -> Project:
    return Project(engine.docker, "millrace", Path(FILE))


@pytest.fixture
def faults(engine: Engine, plugs: Plugs) -> dict[str, Fault]:
    found = container_faults(project(engine), plugs, random.Random(3))
    return {one.name: one for one in found}


def test_what_has_an_init_is_killed_from_within_and_started_by_its_engine(
    engine: Engine, faults: dict[str, Fault]
) -> None:
    injected = faults["kill-replica"].inject()
    injected.undo()
    assert engine.deeds() == [["exec", "id-app-1", *KILL]]
    assert injected.hold_s == 0


def test_what_has_none_is_killed_by_its_engine_and_started_by_the_drill(
    engine: Engine, faults: dict[str, Fault]
) -> None:
    injected = faults["kill-postgresql"].inject()
    assert injected.hold_s > 0
    injected.undo()
    injected.undo()
    assert engine.deeds() == [["kill", "id-db-1"], ["start", "id-db-1"]]


def test_a_kill_that_ends_with_its_container_has_been_one(
    engine: Engine, faults: dict[str, Fault]
) -> None:
    engine.fail["exec"] = "exit code 137"
    with pytest.raises(FaultImpossible):  # it still runs, since the same moment
        faults["kill-worker"].inject()

    def restart() -> None:
        engine.containers["id-worker-1"]["State"]["StartedAt"] = "2026-01-02T03:05:00Z"

    engine.meanwhile["exec"] = restart
    assert "millrace_worker_1" in faults["kill-worker"].inject().description


def test_all_workers_are_killed_at_once(tmp_path: Path) -> None:
    engine = Engine(described("worker", 1), described("worker", 2))
    plugs = Plugs(engine.docker, tmp_path / "note")
    faults = container_faults(project(engine), plugs, random.Random(1))
    [fault] = [one for one in faults if one.name == "kill-all-workers"]
    assert fault.inject().description == "SIGKILL to millrace_worker_1, millrace_worker_2"


@pytest.mark.parametrize(
    ("name", "container"),
    [("stop-balancer", "id-lb-1"), ("hang-redis", "id-redis-1"), ("hang-postgresql", "id-db-1")],
)
def test_what_is_paused_goes_on(
    engine: Engine, faults: dict[str, Fault], name: str, container: str
) -> None:
    injected = faults[name].inject()
    assert engine.containers[container]["State"]["Status"] == "paused"
    assert 1 <= injected.hold_s <= 10
    injected.undo()
    assert engine.containers[container]["State"]["Status"] == "running"


def test_what_is_unplugged_comes_back_under_all_its_names(
    engine: Engine, faults: dict[str, Fault]
) -> None:
    networks = engine.containers["id-redis-1"]["NetworkSettings"]["Networks"]
    networks["millrace_worker"] = {"Aliases": ["redis", "other"]}
    before = {name: dict(one) for name, one in networks.items()}
    injected = faults["unplug-redis"].inject()
    assert networks == {}
    injected.undo()
    assert networks == before


def test_what_is_restarted_is_asked_to_end_first(engine: Engine, faults: dict[str, Fault]) -> None:
    faults["restart-worker"].inject().undo()
    assert engine.deeds() == [["restart", "id-worker-1"]]


def test_a_container_that_may_not_be_harmed_is_not_even_if_others_may(
    engine: Engine, faults: dict[str, Fault]
) -> None:
    engine.containers["id-db-1"] = described("db", label="off")
    with pytest.raises(FaultImpossible, match="db: none runs just now that may be harmed"):
        faults["kill-postgresql"].inject()
    assert engine.deeds() == []


def test_a_container_that_does_not_run_is_not_hit(engine: Engine, faults: dict[str, Fault]) -> None:
    engine.containers["id-lb-1"]["State"]["Status"] = "restarting"
    with pytest.raises(FaultImpossible):
        faults["stop-balancer"].inject()


def test_what_a_killed_drill_has_left_is_taken_back(engine: Engine, plugs: Plugs) -> None:
    whole = project(engine).one("app").networks
    plugs.pull(project(engine).one("app"))
    engine.containers["id-worker-1"]["State"]["Status"] = "paused"
    engine.containers["id-db-1"]["State"]["Status"] = "exited"
    engine.done.clear()
    mend_containers(project(engine), plugs)
    assert project(engine).one("app").networks == whole
    assert ["unpause", "id-worker-1"] in engine.done
    assert ["start", "id-db-1"] in engine.done
    engine.done.clear()
    mend_containers(project(engine), plugs)
    assert engine.deeds() == []

"""The docker driver, where the engine refuses, hangs, goes away, or others scale meanwhile."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scaler.docker.driver import DockerDriver
from scaler.docker.engine import Engine, EngineAway
from scaler.driver import Crew, DriverFailed
from tests.integration.scaler.engine_of_tests import (
    COMPOSE,
    IMAGE,
    EngineOfTests,
    silent_socket,
)

NUMBER = f"{COMPOSE}.container-number"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket in it."""
    made = Path(tempfile.mkdtemp(prefix="mr-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def engine(folder: Path) -> Iterator[EngineOfTests]:
    with EngineOfTests(folder / "engine.sock") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


class Departures:
    """Does what is to be done aside when it is told to; keeps what failed."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.failures: list[tuple[str, bool]] = []

    def aside(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    def failed(self, cause: str, again: bool) -> None:
        self.failures.append((cause, again))

    def happen(self) -> None:
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            work()


@pytest.fixture
def departures() -> Departures:
    return Departures()


class Hasty(Engine):
    """Has little time for calls of the path `hurried`, and much for all others."""

    hurried = ""

    def call(self, method: str, path: str, **more: Any) -> Any:
        self._timeout_s = 0.3 if path == self.hurried else 30.0
        return super().call(method, path, **more)


def driver_at(
    path: Path | Engine, departures: Departures, *, project: str | None = "shop"
) -> DockerDriver:
    return DockerDriver(
        path if isinstance(path, Engine) else Engine(path, 30.0),
        hostname="scaler-host",
        project=project,
        service="worker",
        aside=departures.aside,
        on_failure=departures.failed,
    )


@pytest.fixture
def driver(engine: EngineOfTests, folder: Path, departures: Departures) -> DockerDriver:
    return driver_at(folder / "engine.sock", departures)


def yes() -> bool:
    return True


def test_one_is_added_that_is_like_the_newest_healthy_one(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)
    model = engine.add("worker", 2)
    engine.add("worker", 3, State={"Status": "running", "Health": {"Status": "unhealthy"}})
    assert list(driver.grow(4, yes)) == ["shop-worker-4"]
    (made,) = (one for one in engine.containers.values() if one["Name"] == "/shop-worker-4")
    like = engine.containers[model]
    assert made["State"]["Status"] == "running"
    assert made["Config"]["Labels"] == like["Config"]["Labels"] | {NUMBER: "4"}
    assert made["HostConfig"] == like["HostConfig"]
    assert made["Config"]["Hostname"] == made["Id"][:12]
    assert made["NetworkSettings"]["Networks"] == {
        "shop_worker": {"Aliases": ["shop-worker-4", "worker"]}
    }
    assert "MacAddress" not in made["Config"]
    assert made["Config"]["StopTimeout"] == 1


def test_names_are_written_as_those_that_are_there(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1, separator="_")
    assert list(driver.grow(2, yes)) == ["shop_worker_2"]


def test_it_is_connected_to_each_network_before_it_starts(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    first = engine.add("worker", 1)
    networks = engine.containers[first]["NetworkSettings"]["Networks"]
    networks["shop_audit"] = {"Aliases": ["worker"], "Links": None}
    assert list(driver.grow(2, yes)) == ["shop-worker-2"]
    made = next(one for one in engine.containers.values() if one["Name"] == "/shop-worker-2")
    assert made["NetworkSettings"]["Networks"].keys() == {"shop_worker", "shop_audit"}
    order = [call.rpartition("/")[2] for call in engine.calls if call.startswith("POST")]
    assert order == ["create", "connect", "start"]


def test_an_image_whose_name_means_another_by_now_is_taken_by_its_id(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)
    list(driver.grow(2, yes))
    engine.images["millrace:latest"] = "sha256:" + "2" * 64
    list(driver.grow(3, yes))
    del engine.images["millrace:latest"]
    list(driver.grow(4, yes))
    images = [one["Config"]["Image"] for one in engine.containers.values()]
    assert images == ["millrace:latest", "millrace:latest", IMAGE, IMAGE]


def test_the_highest_number_leaves_first_and_with_the_time_it_has(
    engine: EngineOfTests, driver: DockerDriver, departures: Departures
) -> None:
    for number in (1, 10, 9):
        engine.add("worker", number)
    assert list(driver.shrink(1, yes)) == ["shop-worker-10", "shop-worker-9"]
    assert driver.crew() == Crew(1, 2)
    assert list(driver.shrink(1, yes)) == []
    departures.happen()
    assert engine.names() == ["shop-worker-1"]
    assert driver.crew() == Crew(1, 0)
    assert departures.failures == []


@pytest.mark.parametrize(
    "other",
    [
        {"project": "other"},
        {"labels": {f"{COMPOSE}.oneoff": "True"}},
        {"labels": {f"{COMPOSE}.config-hash": ""}},
        {"labels": {NUMBER: "two"}},
    ],
    ids=["project", "one-off", "hash", "number"],
)
def test_others_are_neither_counted_nor_touched_nor_copied(
    engine: EngineOfTests, driver: DockerDriver, departures: Departures, other: dict[str, object]
) -> None:
    engine.add("app", 1)
    engine.add("worker", 1)
    kept = engine.add("worker", 2, **other)
    assert driver.crew() == Crew(1, 0)
    assert list(driver.shrink(0, yes)) == ["shop-worker-1"]
    departures.happen()
    assert kept in engine.containers
    assert "shop-app-1" in engine.names("running")
    with pytest.raises(DriverFailed, match="No container of the service worker is healthy"):
        list(driver.grow(1, yes))


def test_those_that_do_not_run_are_not_counted_and_keep_their_numbers(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)
    engine.add("worker", 7, State={"Status": "exited"})
    assert driver.crew() == Crew(1, 0)
    assert list(driver.grow(2, yes)) == ["shop-worker-8"]


def test_who_scales_meanwhile_is_not_counted_twice(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)

    def somebody_else(what: str) -> None:
        if what == "POST /containers/create":
            engine.before = lambda _what: None
            engine.add("worker", 2)

    engine.before = somebody_else
    assert list(driver.grow(2, yes)) == []
    assert engine.names("running") == ["shop-worker-1", "shop-worker-2"]


def test_who_takes_every_name_is_told_of(engine: EngineOfTests, driver: DockerDriver) -> None:
    engine.add("worker", 1)
    engine.refusals["POST /containers/create"] = [(409, "Conflict.")] * 3
    with pytest.raises(DriverFailed, match="who else makes such containers"):
        list(driver.grow(2, yes))


def test_a_name_that_somebody_elses_container_has_is_passed_over(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)
    engine.add("worker", 2, labels={f"{COMPOSE}.config-hash": ""})
    assert list(driver.grow(3, yes)) == ["shop-worker-3", "shop-worker-4"]


def test_what_cannot_be_started_is_not_left_behind(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)
    engine.refusals[r"POST /containers/\w+/start"] = [(500, "no space left on device")]
    with pytest.raises(DriverFailed, match=r"shop-worker-2 could not be started.*no space left"):
        list(driver.grow(2, yes))
    assert engine.names() == ["shop-worker-1"]


def test_what_cannot_be_removed_at_once_is_removed_later(
    engine: EngineOfTests, driver: DockerDriver, departures: Departures
) -> None:
    engine.add("worker", 1)
    engine.refusals[r"POST /containers/\w+/start"] = [(500, "no space left on device")]
    engine.refusals[r"DELETE /containers/\w+"] = [(500, "device busy")] * 2
    with pytest.raises(DriverFailed, match="no space left"):
        list(driver.grow(2, yes))
    assert engine.names("created") == ["shop-worker-2"]
    for _ in range(2):
        driver.crew()
        departures.happen()
    assert engine.names() == ["shop-worker-1"]
    (failure,) = departures.failures
    assert "device busy" in failure[0]


def test_that_a_worker_cannot_be_stopped_is_told_and_tried_again(
    engine: EngineOfTests, driver: DockerDriver, departures: Departures
) -> None:
    engine.add("worker", 1)
    engine.add("worker", 2)
    engine.refusals[r"POST /containers/\w+/stop"] = [(500, "cannot kill")] * 2
    assert list(driver.shrink(1, yes)) == ["shop-worker-2"]
    departures.happen()
    for _ in range(2):
        assert driver.crew() == Crew(1, 1)
        departures.happen()
    assert driver.crew() == Crew(1, 0)
    assert engine.names() == ["shop-worker-1"]
    assert [again for _, again in departures.failures] == [False, True]


def test_one_that_has_gone_by_itself_is_gone(
    engine: EngineOfTests, driver: DockerDriver, departures: Departures
) -> None:
    engine.add("worker", 1)
    gone = engine.add("worker", 2)
    list(driver.shrink(1, yes))
    del engine.containers[gone]
    departures.happen()
    assert departures.failures == []
    assert driver.crew() == Crew(1, 0)


def test_without_the_seat_nothing_is_begun_and_nothing_half_done(
    engine: EngineOfTests, driver: DockerDriver
) -> None:
    engine.add("worker", 1)
    assert list(driver.grow(3, lambda: False)) == []
    assert list(driver.shrink(0, lambda: False)) == []
    answers = iter([True, False])  # lost between creating it and starting it
    assert list(driver.grow(2, lambda: next(answers))) == []
    assert engine.names() == ["shop-worker-1"]
    assert not any(call.endswith(("start", "stop")) for call in engine.calls)


def test_an_engine_that_does_not_answer_is_not_waited_for_longer_than_allowed(
    engine: EngineOfTests, folder: Path, departures: Departures
) -> None:
    engine.add("worker", 1)
    hasty = Hasty(folder / "engine.sock", 30.0)
    driver = driver_at(hasty, departures)
    assert driver.crew() == Crew(1, 0)
    engine.refusals["GET /containers/json"] = [(0, "")]
    hasty.hurried = "/containers/json"
    began = time.monotonic()
    with pytest.raises(EngineAway, match="in time"):
        driver.crew()
    assert time.monotonic() - began < 15  # it would hang for 20
    hasty.hurried = ""
    assert driver.crew() == Crew(1, 0)


def test_what_was_created_while_nobody_heard_of_it_is_removed(
    engine: EngineOfTests, folder: Path, departures: Departures
) -> None:
    engine.add("worker", 1)
    hasty = Hasty(folder / "engine.sock", 30.0)
    hasty.hurried = "/containers/create"
    driver = driver_at(hasty, departures)
    engine.refusals["POST /containers/create"] = [(0, "")]
    with pytest.raises(EngineAway):
        list(driver.grow(2, yes))
    engine.add("worker", 2, State={"Status": "created"})  # the engine was only slow
    assert driver.crew() == Crew(1, 1)
    departures.happen()
    assert engine.names() == ["shop-worker-1"]


def test_one_that_somebody_else_is_creating_is_left_alone(
    engine: EngineOfTests, driver: DockerDriver, departures: Departures
) -> None:
    engine.add("worker", 1)
    engine.add("worker", 2, State={"Status": "created"})
    assert driver.crew() == Crew(1, 0)
    assert departures.waiting == []


def test_an_engine_that_is_away_is_named_with_a_remedy(
    folder: Path, departures: Departures
) -> None:
    with pytest.raises(EngineAway, match="MILLRACE_SCALER_DOCKER_SOCKET"):
        driver_at(folder / "nothing", departures).crew()
    with pytest.raises(EngineAway, match="MILLRACE_SCALER_DOCKER_SOCKET"):
        driver_at(Path("/dev/null"), departures).crew()


def test_one_that_accepts_and_says_nothing_is_away(folder: Path, departures: Departures) -> None:
    with (
        closing(silent_socket(folder / "silent")),
        pytest.raises(EngineAway, match="in time"),
    ):
        driver_at(Engine(folder / "silent", 0.2), departures).crew()


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [("1.41", "1.12", "/v1.41"), ("1.47", "1.24", "/v1.47"), ("1.52", "1.44", "/v1.47")],
)
def test_the_newest_version_that_both_know_is_spoken(
    engine: EngineOfTests, driver: DockerDriver, newest: str, oldest: str, spoken: str
) -> None:
    engine.versions = {"ApiVersion": newest, "MinAPIVersion": oldest}
    engine.prefix = spoken
    assert driver.crew() == Crew(0, 0)


@pytest.mark.parametrize(("newest", "oldest"), [("1.40", "1.12"), ("2.0", "1.60")])
def test_an_engine_that_is_too_old_or_too_new_is_refused(
    engine: EngineOfTests, driver: DockerDriver, newest: str, oldest: str
) -> None:
    engine.versions = {"ApiVersion": newest, "MinAPIVersion": oldest}
    with pytest.raises(EngineAway, match="update the older of them"):
        driver.crew()


def test_its_project_is_that_of_its_own_container(
    engine: EngineOfTests, folder: Path, departures: Departures
) -> None:
    engine.add("worker", 1)
    own = engine.add("scaler", 1)
    engine.containers["scaler-host"] = engine.containers.pop(own)
    driver = driver_at(folder / "engine.sock", departures, project=None)
    assert driver.crew() == Crew(1, 0)


def test_outside_of_a_project_it_asks_for_its_name(
    engine: EngineOfTests, folder: Path, departures: Departures
) -> None:
    driver = driver_at(folder / "engine.sock", departures, project=None)
    with pytest.raises(DriverFailed, match="MILLRACE_SCALER_PROJECT"):
        driver.crew()

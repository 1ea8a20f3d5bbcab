"""Only a stack whose compose file allows it is harmed."""

from pathlib import Path

import pytest

from cli.compose.container import Container, seconds_since_1970
from cli.compose.docker import Docker, DockerFailed, DockerMissing
from cli.compose.project import HARMED, Project
from cli.faults.stack import DrillRefused
from tests.unit.cli.compose.engine import FILE, Engine, described


def project(engine: Engine, file: str = FILE) -> Project:
    return Project(engine.docker, "millrace", Path(file))


def test_a_stack_that_says_so_may_be_harmed() -> None:
    project(Engine(*map(described, HARMED))).require_permission()


def test_one_container_without_the_label_protects_all_of_them() -> None:
    containers = [described(service) for service in HARMED] + [described("app", 2, label="off")]
    with pytest.raises(DrillRefused, match=r"MILLRACE_DRILL=allowed into its \.env") as refused:
        project(Engine(*containers)).require_permission()
    assert str(refused.value).startswith("millrace_app_2 may not be harmed")


def test_a_stack_that_does_not_run_is_told_with_how_to_start_it() -> None:
    with pytest.raises(DrillRefused, match="no containers of db, redis"):
        project(Engine(*map(described, ("lb", "app", "worker")))).require_permission()


def test_a_stack_of_another_file_with_the_same_name_is_left_alone() -> None:
    engine = Engine(*map(described, HARMED))
    with pytest.raises(DrillRefused, match=r"were not started from /elsewhere/compose\.yml"):
        project(engine, "/elsewhere/compose.yml").require_permission()


def test_other_services_and_containers_of_one_command_are_not_looked_at() -> None:
    once = described("worker", 3)
    once["Config"]["Labels"]["com.docker.compose.oneoff"] = "True"
    found = project(Engine(described("worker"), described("grafana"), once)).containers()
    assert [one.name for one in found] == ["millrace_worker_1"]


def test_a_container_tells_what_is_wrong_with_it() -> None:
    assert Container.of(described("app")).trouble is None
    paused = described("app", State={"Status": "paused", "StartedAt": "2026-01-02T03:04:05Z"})
    assert Container.of(paused).trouble == "millrace_app_1 is paused"
    ill = described("app")
    ill["State"]["Health"] = {"Status": "unhealthy"}
    assert Container.of(ill).trouble == "millrace_app_1 is unhealthy"


def test_the_engines_times_are_read_with_their_nanoseconds() -> None:
    assert seconds_since_1970("1970-01-01T00:01:00.250000001Z") == pytest.approx(60.25)
    assert seconds_since_1970("1970-01-01T00:01:00Z") == 60.0
    assert seconds_since_1970("0001-01-01T00:00:00Z") == 0.0


def test_what_docker_says_is_told() -> None:
    engine = Engine()
    engine.fail["pause"] = "Error: one\nError response from daemon: no such container: x"
    with pytest.raises(DockerFailed, match=r"docker pause: Error response .* no such container: x"):
        engine.docker("pause", "x")
    engine.fail["ps"] = "Cannot connect to the Docker daemon. Is the docker daemon running?"
    with pytest.raises(DockerMissing, match="does not answer"):
        engine.docker("ps")


def test_a_machine_without_docker_is_told_to_install_it() -> None:
    def nothing(argv: object, limit_s: float) -> None:
        raise FileNotFoundError

    with pytest.raises(DockerMissing, match="install Docker"):
        Docker(nothing)("ps")  # type: ignore[arg-type]

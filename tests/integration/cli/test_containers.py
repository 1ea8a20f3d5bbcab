"""Faults of containers, against a real engine where there is one."""

import os
import random
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.compose.container import ALLOWED, LABEL, Container
from cli.compose.docker import Docker, DockerFailed, DockerMissing
from cli.compose.plugs import Plugs
from cli.compose.project import Project
from cli.faults.containers import container_faults, mend_containers
from cli.faults.fault import Fault
from tests.e2e.running_stack import until

IMAGE = os.environ.get("MILLRACE_PYTHON_IMAGE", "python:3.13-slim")
SUBNET = "192.168.213.0/28"  # outside of what engines and the stack's own networks take
COMPOSE = "com.docker.compose"
SLEEP = ("python", "-c", "import time; time.sleep(600)")
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def docker() -> Docker:
    docker = Docker()
    try:
        docker("image", "inspect", IMAGE, limit_s=10.0)
    except (DockerMissing, DockerFailed) as error:
        pytest.skip(f"no engine with {IMAGE}: {error}")
    return docker


@pytest.fixture
def project(docker: Docker, tmp_path: Path) -> Iterator[Project]:
    """One worker on one network, as compose would have made it."""
    name = f"drilltest{secrets.token_hex(4)}"
    labels = {
        f"{COMPOSE}.project": name, f"{COMPOSE}.service": "worker", LABEL: ALLOWED,
    }  # fmt: skip
    words = [word for label in labels.items() for word in ("--label", "=".join(label))]
    try:
        docker("network", "create", "--internal", "--subnet", SUBNET, name)
        docker(
            "run", "--detach", "--init", "--restart", "unless-stopped", "--network", name,
            "--network-alias", "worker", "--name", f"{name}_worker_1", *words, IMAGE, *SLEEP,
        )  # fmt: skip
        yield Project(docker, name, tmp_path / "compose.yml")
    finally:
        for command in (["rm", "--force", f"{name}_worker_1"], ["network", "rm", name]):
            subprocess.run(["docker", *command], capture_output=True, check=False)


@pytest.fixture
def plugs(docker: Docker, tmp_path: Path) -> Plugs:
    return Plugs(docker, tmp_path / "unplugged.json")


@pytest.fixture
def faults(project: Project, plugs: Plugs) -> dict[str, Fault]:
    found = container_faults(project, plugs, random.Random(1))
    return {one.name: one for one in found}


def until_it(project: Project, condition: Callable[[Container], bool]) -> None:
    until(lambda: condition(project.one("worker")), LIMIT_S)


def test_what_is_killed_is_started_again_by_its_engine(
    project: Project, faults: dict[str, Fault]
) -> None:
    before = project.one("worker")
    faults["kill-worker"].inject().undo()
    until_it(project, lambda one: one.state == "running" and one.started_at > before.started_at)


def test_what_is_paused_or_unplugged_is_put_back_as_it_was(
    project: Project, plugs: Plugs, faults: dict[str, Fault]
) -> None:
    before = project.one("worker")
    paused = faults["stop-worker"].inject()
    assert project.one("worker").trouble == f"{before.name} is paused"
    paused.undo()
    assert project.one("worker").trouble is None
    unplugged = faults["unplug-worker"].inject()
    assert project.one("worker").networks == {}
    unplugged.undo()
    [(network, names)] = project.one("worker").networks.items()
    assert network in before.networks
    assert set(before.networks[network]) <= set(names)


def test_what_a_killed_drill_has_left_is_mended(
    docker: Docker, project: Project, plugs: Plugs
) -> None:
    one = project.one("worker")
    plugs.pull(one)
    docker("kill", one.id)
    until_it(project, lambda one: one.state == "exited")
    mend_containers(project, plugs)
    assert project.one("worker").state == "running"
    assert project.one("worker").networks.keys() == one.networks.keys()

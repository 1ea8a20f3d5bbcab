"""Containers that are scaled by a real engine, where there is one with the image."""

import json
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scaler.docker.container import HASH, NUMBER, ONE_OFF, PROJECT, SERVICE
from scaler.docker.driver import DockerDriver
from scaler.docker.engine import Engine
from scaler.driver import Crew, DriverFailed
from tests.e2e.running_stack import until

IMAGE = os.environ.get("MILLRACE_PYTHON_IMAGE", "python:3.13-slim")
SOCKET = Path("/var/run/docker.sock")
# outside of what engines and the stack's own networks take
SUBNETS = ("192.168.213.16/28", "192.168.213.32/28")
LIMIT_S = 60.0
# leaves at once when it is told to, as a worker does that holds nothing
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
    "[signal.pause() for _ in iter(int, 1)]"
)


def docker(*words: str) -> str:
    done = subprocess.run(
        ["docker", *words], check=True, capture_output=True, text=True, timeout=LIMIT_S
    )
    return done.stdout


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine(SOCKET, LIMIT_S)
    try:
        engine.call("GET", f"/images/{IMAGE}/json")
    except DriverFailed as error:
        pytest.skip(f"no engine with {IMAGE}: {error}")
    return engine


@pytest.fixture
def project(engine: Engine) -> Iterator[str]:
    """One worker in two networks, limited and closed in, with the labels that Compose gives."""
    name = f"scaletest{secrets.token_hex(4)}"
    labels = {
        PROJECT: name, SERVICE: "worker", NUMBER: "1", ONE_OFF: "False", HASH: "f00d",
        "com.docker.compose.version": "1.29.2",
    }  # fmt: skip
    words = [word for label in labels.items() for word in ("--label", "=".join(label))]
    networks = [f"{name}_{which}" for which in ("worker", "audit")]
    try:
        for network, subnet in zip(networks, SUBNETS, strict=True):
            docker("network", "create", "--internal", "--subnet", subnet, network)
        docker(
            "create", "--init", "--restart", "unless-stopped", "--network", networks[0],
            "--network-alias", "worker", "--name", f"{name}_worker_1", "--stop-timeout", "20",
            "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
            "--memory", "64m", "--cpus", "0.5", "--tmpfs", "/tmp:size=1m",
            "--log-opt", "max-size=1m", *words, IMAGE, "python", "-c", PROGRAM,
        )  # fmt: skip
        docker("network", "connect", "--alias", "worker", networks[1], f"{name}_worker_1")
        docker("start", f"{name}_worker_1")
        yield name
    finally:
        found = docker("ps", "--all", "--quiet", "--filter", f"label={PROJECT}={name}").split()
        for command in (["rm", "--force", *found], ["network", "rm", *networks]):
            subprocess.run(["docker", *command], capture_output=True, check=False, timeout=LIMIT_S)


@pytest.fixture
def failures() -> list[str]:
    return []


def driver_of(engine: Engine, project: str, failures: list[str]) -> DockerDriver:
    def aside(work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    return DockerDriver(
        engine,
        hostname="not-asked-for",
        project=project,
        service="worker",
        aside=aside,
        on_failure=lambda cause, _again: failures.append(cause),
    )


class WithoutDevice(Engine):
    """Asks for a device that no machine has, so that the engine creates and cannot start."""

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        more_s: float = 0.0,
    ) -> Any:
        if path == "/containers/create" and body is not None:
            device = {
                "PathOnHost": "/dev/nothing", "PathInContainer": "/dev/nothing",
                "CgroupPermissions": "r",
            }  # fmt: skip
            body = {**body, "HostConfig": {**body["HostConfig"], "Devices": [device]}}
        return super().call(method, path, query=query, body=body, more_s=more_s)


def yes() -> bool:
    return True


def names_of(project: str) -> list[str]:
    words = ("ps", "--all", "--format", "{{.Names}}", "--filter", f"label={PROJECT}={project}")
    return docker(*words).split()


def inspected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("container", "inspect", name))[0]
    return found


def found_by_name(asking: str) -> set[str]:
    program = "import socket; print(*socket.gethostbyname_ex('worker')[2])"
    return set(docker("exec", asking, "python", "-c", program).split())


def test_workers_are_added_like_the_first_and_leave_again(
    engine: Engine, project: str, failures: list[str]
) -> None:
    driver = driver_of(engine, project, failures)
    assert driver.crew() == Crew(1, 0)
    assert list(driver.grow(3, yes)) == [f"{project}_worker_2", f"{project}_worker_3"]
    assert driver.crew() == Crew(3, 0)
    first = inspected(f"{project}_worker_1")
    for number in (2, 3):
        made = inspected(f"{project}_worker_{number}")
        assert made["State"]["Status"] == "running"
        assert made["Image"] == first["Image"]
        assert made["HostConfig"] == first["HostConfig"]
        assert made["Config"]["Labels"] == first["Config"]["Labels"] | {NUMBER: str(number)}
        same = ("Cmd", "Env", "Image", "StopTimeout", "User")
        assert {one: made["Config"].get(one) for one in same} == {
            one: first["Config"].get(one) for one in same
        }
        assert made["Config"]["Hostname"] == made["Id"][:12]
        networks = made["NetworkSettings"]["Networks"]
        assert networks.keys() == first["NetworkSettings"]["Networks"].keys()
        assert all("worker" in one["Aliases"] for one in networks.values())
        # who asks for the service finds it
        addresses = {one["IPAddress"] for one in networks.values()}
        assert len(addresses) == 2
        assert addresses & found_by_name(f"{project}_worker_1")
    assert list(driver.shrink(1, yes)) == [f"{project}_worker_3", f"{project}_worker_2"]
    until(lambda: driver.crew() == Crew(1, 0), LIMIT_S)
    assert names_of(project) == [f"{project}_worker_1"]
    assert failures == []


def test_what_cannot_be_started_leaves_nothing_behind(project: str, failures: list[str]) -> None:
    driver = driver_of(WithoutDevice(SOCKET, LIMIT_S), project, failures)
    with pytest.raises(DriverFailed, match=f"{project}_worker_2 could not be started"):
        list(driver.grow(2, yes))
    assert driver.crew() == Crew(1, 0)
    assert names_of(project) == [f"{project}_worker_1"]
    assert failures == []

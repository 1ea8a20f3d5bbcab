"""The running stack: who reaches whom, as whom, and what can be written.

Needs the stack of docker-compose.production.yml on this machine's engine, so these are run only
where MILLRACE_COMPOSE_PROJECT names its project.
"""

import json
import os
import socket
import subprocess
from functools import cache
from typing import Any

import pytest

from tests.compose.compose_file import services
from tests.e2e.running_stack import until

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("MILLRACE_COMPOSE_PROJECT") is None,
        reason="needs a running stack: MILLRACE_COMPOSE_PROJECT",
    ),
    pytest.mark.e2e,
]
PROJECT = os.environ.get("MILLRACE_COMPOSE_PROJECT", "")
PROBE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
    print("reached")
except OSError as error:
    print(error)
"""
HEALTHY_LIMIT_S = 120.0
OUTSIDE = "1.1.1.1"  # a public name server


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


def _inspect(ids: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
    return found


@cache
def containers() -> dict[str, dict[str, Any]]:
    """Return one running container of each service, as the engine describes it."""
    ids = docker("ps", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in _inspect(ids)}


def running(service: str) -> dict[str, Any]:
    if service not in containers():
        pytest.skip(f"{service} does not run")
    return containers()[service]


def addresses(service: str) -> list[str]:
    networks = running(service)["NetworkSettings"]["Networks"].values()
    return [one["IPAddress"] for one in networks if one["IPAddress"]]


def reaches(service: str, host: str, port: int) -> bool:
    argv = ["exec", running(service)["Id"], "python", "-c", PROBE, host, str(port)]
    return docker(*argv).strip() == "reached"


@pytest.mark.parametrize(("target", "port"), [("db", 5432), ("redis", 6379)])
def test_a_worker_reaches_what_it_works_with(target: str, port: int) -> None:
    assert reaches("worker", target, port)


@pytest.mark.parametrize(
    ("target", "port"),
    [("lb", 8080), ("lb", 8081), ("app", 8000), ("grafana", 3000), ("redis-exporter", 9121)],
)
def test_a_worker_does_not_reach_the_others(target: str, port: int) -> None:
    assert not reaches("worker", target, port)  # by name
    assert not any(reaches("worker", address, port) for address in addresses(target))


@pytest.mark.parametrize("service", ["worker", "scaler", "app"])
def test_those_inside_do_not_reach_the_internet(service: str) -> None:
    assert not any(reaches(service, OUTSIDE, port) for port in (53, 443))


def test_a_worker_does_not_reach_published_ports_by_the_machines_own_address() -> None:
    gateways = {one["Gateway"] for one in running("lb")["NetworkSettings"]["Networks"].values()} | {
        "172.22.0.1"
    }
    port = int(running("lb")["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"])
    assert not any(reaches("worker", gateway, port) for gateway in gateways if gateway)


def test_only_what_shall_be_is_published() -> None:
    published = {
        (service, ports[0]["HostIp"])
        for service, one in containers().items()
        for ports in one["NetworkSettings"]["Ports"].values()
        if ports
    }
    assert {service for service, _ in published} <= {"lb", "prometheus", "grafana"}
    assert all(host == "127.0.0.1" for service, host in published if service != "lb")


def test_the_balancer_answers_from_outside() -> None:
    port = int(running("lb")["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"])
    socket.create_connection(("127.0.0.1", port), 3).close()


@pytest.mark.parametrize("service", sorted(services()))
def test_nobody_runs_as_root_or_may_become_it(service: str) -> None:
    # of every process of the container, as the machine sees them
    processes = docker("top", running(service)["Id"], "-eo", "pid,uid").splitlines()[1:]
    uids = [line.split()[1] for line in processes]
    assert uids
    assert "0" not in uids
    status = docker("exec", running(service)["Id"], "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["CapEff"].strip()) == set(fields["CapBnd"].strip()) == {"0"}
    assert fields["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", sorted(services()))
def test_the_root_cannot_be_written(service: str) -> None:
    argv = ["docker", "exec", "-u", "0", running(service)["Id"], "touch", "/etc/written"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


def test_no_password_shows_in_environments_or_commands() -> None:
    for one in containers().values():
        shown = json.dumps([one["Config"]["Env"], one["Args"], one["Config"]["Cmd"]])
        for mount in one["Mounts"]:
            if mount["Destination"].startswith("/run/secrets/"):
                secret = docker("exec", one["Id"], "cat", mount["Destination"]).strip()
                assert secret not in shown


def test_all_checks_are_passed() -> None:
    """Other tests kill some, which are started again."""
    ids = [one["Id"] for one in containers().values()]

    def unhealthy() -> list[str]:
        found = [(one["Name"], one["State"].get("Health")) for one in _inspect(ids)]
        return [name for name, health in found if health and health["Status"] != "healthy"]

    until(lambda: not unhealthy(), HEALTHY_LIMIT_S)


def test_connections_fit() -> None:
    sql = "SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity"
    argv = ["exec", running("db")["Id"], "psql", "-U", "postgres", "-Atc", sql]
    assert int(docker(*argv)) > 0

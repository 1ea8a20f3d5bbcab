"""The compose file: accepted by both generations of Compose, and as closed as it says."""

import shutil
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from app.settings import AppSettings
from lb.settings import BalancerSettings
from lb.settings import variables as balancer_variables
from scaler.main import PATIENCE_S
from tests.compose.compose_file import (
    FILE,
    ROOT,
    document,
    example,
    seconds,
    services,
    variables,
)
from tests.compose.specification import faults
from worker.settings import WorkerSettings

ONE_SHOT = {"migrate", "tools", "locust"}
LASTING = sorted(set(services()) - ONE_SHOT)
OURS = ("lb", "app", "worker", "scaler", "migrate", "tools")


def test_the_file_follows_the_compose_specification() -> None:
    assert faults(document()) == []


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ({"services": {"a": {"image": "i", "memlimit": "1g"}}}, "memlimit is no member"),
        ({"services": {"a": {"image": "i", "mem_limit": "much"}}}, "no number of bytes"),
        ({"services": {"a": {"image": "i", "networks": ["n"]}}}, "networks has no n"),
        ({"services": {"a": {"image": "i", "depends_on": {"b": {}}}}}, "condition is missing"),
        ({"services": {"a": {}}}, "neither image nor build"),
        ({"services": {"a": {"image": "i"}}, "name": "x"}, "name is newer"),
        ({"services": {"a": {"image": "i", "volumes": ["v:/v"]}}}, "no volume v"),
    ],
)
def test_what_is_against_the_specification_is_found(broken: dict[str, object], fault: str) -> None:
    assert any(fault in one for one in faults(broken))


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not here")
def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    nothing_set = tmp_path / "env"
    nothing_set.touch()
    argv = ["docker-compose", "--env-file", str(nothing_set), "-f", str(FILE)]
    argv += ["--profile", "tools", "--profile", "load-test", "config", "--quiet"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_has_each_variable_with_its_default() -> None:
    wanted = {"COMPOSE_PROJECT_NAME": "millrace"} | variables()
    del wanted["PIP_INDEX_URL"]  # only ever given at a build
    assert example() == wanted


@pytest.mark.parametrize("service", sorted(services()))
def test_a_service_is_closed_in(service: str) -> None:
    of = services()[service]
    assert of["read_only"] is True
    assert of["cap_drop"] == ["ALL"]
    assert "cap_add" not in of
    assert of["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in of
    sockets = [volume for volume in of.get("volumes", []) if "docker.sock" in volume]
    assert sockets == (["/dev/null:/var/run/docker.sock"] if service == "scaler" else [])


def test_docker_is_within_reach_of_nobody_unless_its_socket_is_given() -> None:
    given = {"MILLRACE_DOCKER_SOCKET": "/var/run/docker.sock", "MILLRACE_DOCKER_GID": "998"}
    opened = document(given)["services"]
    with_socket = [name for name, of in opened.items() if "docker.sock" in str(of)]
    assert with_socket == ["scaler"]
    assert opened["scaler"]["volumes"] == ["/var/run/docker.sock:/var/run/docker.sock"]
    assert opened["scaler"]["group_add"] == ["998"]
    assert services()["scaler"]["environment"]["MILLRACE_SCALER_DRIVER"] == "advise"


def test_the_scaler_has_the_bounds_that_the_databases_connections_are_made_for() -> None:
    of = document({"MILLRACE_MAX_WORKERS": "33", "MILLRACE_MIN_WORKERS": "3"})["services"]
    assert of["scaler"]["environment"]["MILLRACE_SCALER_MAX_WORKERS"] == "33"
    assert of["scaler"]["environment"]["MILLRACE_SCALER_MIN_WORKERS"] == "3"
    assert of["db"]["environment"]["MILLRACE_MAX_WORKERS"] == "33"


def test_the_scaler_has_no_other_secret_than_that_of_redis() -> None:
    assert services()["scaler"]["secrets"] == ["redis_password"]
    assert "DATABASE_URL" not in services()["scaler"]["environment"]


@pytest.mark.parametrize("service", sorted(services()))
def test_a_service_has_limits_and_bounded_logs(service: str) -> None:
    of = services()[service]
    assert {"cpus", "mem_limit", "logging"} <= of.keys()
    assert {"max-size", "max-file"} <= of["logging"]["options"].keys()


@pytest.mark.parametrize("service", LASTING)
def test_a_lasting_service_is_checked_reserved_for_and_restarted(service: str) -> None:
    of = services()[service]
    assert {"healthcheck", "mem_reservation"} <= of.keys()
    assert of["restart"] == "unless-stopped"


def test_passwords_come_from_files_alone() -> None:
    for name, of in services().items():
        for variable, value in of.get("environment", {}).items():
            if "PASS" in variable or "TOKEN" in variable:
                is_file = str(value).startswith("/run/secrets/")
                assert is_file or variable == "MILLRACE_WORKER_PASSWORD_SLOTS", (name, variable)


def test_each_secret_that_is_read_is_mounted() -> None:
    for name, of in services().items():
        texts = [str(one) for one in of.get("environment", {}).values()]
        named = {one.removeprefix("/run/secrets/") for one in texts if "/run/secrets/" in one}
        assert named <= set(of.get("secrets", [])), name


def test_three_networks_of_which_two_lead_nowhere() -> None:
    networks = document()["networks"]
    subnets = {name: of["ipam"]["config"][0]["subnet"] for name, of in networks.items()}
    assert subnets == {
        "frontend": "172.20.0.0/16",
        "backend": "172.21.0.0/16",
        "worker": "172.22.0.0/16",
    }
    assert {name for name, of in networks.items() if of.get("internal")} == {"backend", "worker"}


def test_who_is_in_which_network() -> None:
    members = {name: set(of["networks"]) for name, of in services().items()}
    assert members["worker"] == members["scaler"] == {"worker"}
    assert members["app"] == members["migrate"] == {"backend"}
    assert members["db"] == members["redis"] == {"backend", "worker"}
    # besides those who publish a port, only the load test is where the balancer is met
    assert {name for name, of in members.items() if "frontend" in of} == {
        "lb", "prometheus", "grafana", "locust",
    }  # fmt: skip


def test_only_the_balancer_is_published_to_others() -> None:
    published = {name: of["ports"] for name, of in services().items() if "ports" in of}
    assert published.keys() == {"lb", "prometheus", "grafana"}
    assert all(one.startswith("127.0.0.1:") for one in published["prometheus"])
    assert all(one.startswith("127.0.0.1:") for one in published["grafana"])


def test_who_stops_has_the_time_that_its_drain_takes() -> None:
    drains = {
        "lb": BalancerSettings(backends="app:8000").drain_timeout_s,
        "app": AppSettings().app_grace_s,
        "worker": WorkerSettings().drain_timeout_s,
        "scaler": PATIENCE_S,
    }
    for name, drain_s in drains.items():
        assert seconds(services()[name]["stop_grace_period"]) > drain_s


def test_programs_are_given_settings_that_there_are() -> None:
    known = set(balancer_variables()) | {"DATABASE_URL", "REDIS_URL"}
    text = "".join(one.read_text() for one in sorted((ROOT / "docs").glob("*.md")))
    for name in OURS:
        for variable in services()[name].get("environment", {}):
            assert variable in known or f"| `{variable}` |" in text, variable


def test_databases_pools_are_its_programs_pools() -> None:
    of = services()
    programs = dict(chain(of["app"]["environment"].items(), of["worker"]["environment"].items()))
    shared = of["db"]["environment"].keys() & programs.keys()
    assert len(shared) == 7
    assert all(of["db"]["environment"][name] == programs[name] for name in shared)

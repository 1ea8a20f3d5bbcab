"""Setting up: the way that goes well, run twice, and each way that does not."""

import os
import signal
import socket
import stat
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from tests.unit.scripts.machine import GIB, Machine

MAC = "setup-macos.sh"
LINUX = "scripts/setup-linux.sh"


def test_a_setup_ends_with_addresses_and_a_second_one_changes_nothing(any_mac: Machine) -> None:
    first = any_mac.run(MAC)
    assert first.code == 0, first.text
    for said in (
        "6 containers healthy", "http://127.0.0.1:8080/docs",
        "http://127.0.0.1:3000", "secrets/grafana_password", "--scale app=5 --scale worker=8",
        "docker compose -f docker-compose.production.yml", "a query over 100,000 rows",
    ):  # fmt: skip
        assert said in first.output
    secrets = any_mac.checkout / "secrets"
    password = (secrets / "db_password").read_text()
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert password.strip() not in first.text
    (any_mac.checkout / ".env").write_text("MILLRACE_PORT=8090\n")

    second = any_mac.run(MAC)
    assert second.code == 0, second.text
    assert (secrets / "db_password").read_text() == password
    assert (any_mac.checkout / ".env").read_text() == "MILLRACE_PORT=8090\n"
    assert "http://127.0.0.1:8090" in second.output
    assert "secrets are kept" in second.output


@pytest.mark.parametrize(("system", "script"), [("Darwin", MAC), ("Linux", LINUX)])
def test_both_platforms_set_up_with_either_version_of_compose(
    system: str, script: str, request: pytest.FixtureRequest
) -> None:
    machine: Machine = request.getfixturevalue("mac" if system == "Darwin" else "linux")
    machine.set(compose=1, compose_version="1.29.2")
    ended = machine.run(script)
    assert ended.code == 0, ended.text
    assert "docker-compose -f docker-compose.production.yml up -d --scale" in ended.output


def test_a_check_tells_all_problems_at_once_and_changes_nothing(mac: Machine) -> None:
    before = sorted(mac.checkout.rglob("*"))
    mac.set(memory=2 * GIB, cpus=1, disk=1024, networks="other|work|172.21.4.0/24 ")
    mac.stub("lsof", 'echo header; [ "$2" = -iTCP:9090 ] && echo "Cockpit 77 ann"')
    ended = mac.run(MAC, "--check")
    assert ended.code == 7  # of the first
    for said in (
        "2.0 GiB of memory; 4 GB are needed", "1 processor", "are free where",
        "Port 9090 is in use by Cockpit (process 77, user ann)",
        "network other has 172.21.4.0/24, which overlaps our 172.21.0.0/16",
        "docker network rm other",
    ):  # fmt: skip
        assert said in ended.errors
    assert sorted(mac.checkout.rglob("*")) == before
    assert not (mac.state / "volumes").exists()


def test_a_check_of_a_good_machine_changes_nothing(mac: Machine) -> None:
    before = sorted(mac.checkout.rglob("*"))
    ended = mac.run(MAC, "--check")
    assert (ended.code, ended.errors) == (0, "")
    assert sorted(mac.checkout.rglob("*")) == before


@pytest.mark.parametrize(
    ("facts", "code", "said"),
    [
        ({"memory": 3 * GIB}, 7, "Settings > Resources"),
        ({"cpus": 1}, 7, "2 are needed"),
        ({"disk": 1024 * 1024}, 8, "docker image prune"),
        ({"networks": "vpn||172.16.0.0/12 "}, 10, "docker network rm vpn"),
        ({"networks": "a||10.0.0.0/8 \nb||172.21.255.0/24 "}, 10, "network b has"),
        ({"compose_version": "1.28.6", "compose": 1}, 6, "1.29 or any 2 is needed"),
        ({"compose": 0}, 6, "Neither 'docker compose' nor 'docker-compose' is there"),
        ({"fail_config": "services.lb.ports is wrong"}, 6, "services.lb.ports is wrong"),
        ({"fail_build": "ERROR: pip could not"}, 12, "ERROR: pip could not"),
        ({"fail_build": "write /x: no space left on device"}, 8, "docker builder prune"),
        ({"fail_pull": "toomanyrequests: slow down"}, 12, "docker login"),
        ({"fail_pull": "dial tcp: lookup registry: no such host"}, 12, "The network was not there"),
        ({"fail_up": "Bind for 0.0.0.0:8080 failed: port is already allocated"}, 9, "in .env"),
        ({"fail_up": "Pool overlaps with other one on this address space"}, 10, "--check"),
        ({"fail_up": "something unheard of"}, 13, "something unheard of"),
        ({"fail_run": "millrace: PostgreSQL at … refuses us"}, 14, "refuses us"),
        ({"answer_query": "429\n{}"}, 15, "MILLRACE_RATE_LIMIT"),
        ({"answer_query": "200\n{\"row_count\": 9}"}, 15, 'expected status 200 and "row_count":10'),
        ({"answer_hash": "503\n{\"title\": \"away\"}"}, 15, "logs --tail=50 app"),
        ({"answer_status": "000"}, 15, "Nobody answers at http://127.0.0.1:8080"),
    ],
)  # fmt: skip
def test_each_failure_has_its_code_and_its_remedy(
    mac: Machine, facts: dict[str, object], code: int, said: str
) -> None:
    mac.set(**facts)
    ended = mac.run(MAC)
    assert ended.code == code, ended.text
    assert said in ended.errors


def test_a_small_docker_on_a_small_mac_is_told_what_to_leave_out(mac: Machine) -> None:
    mac.stub("sysctl", f"echo {8 * GIB}")
    mac.set(memory=4 * GIB)
    ended = mac.run(MAC, "--check")
    assert ended.code == 0
    assert "8 GB are advised" in ended.output
    assert "--without grafana,prometheus" in ended.output


def test_services_that_are_left_out_are_not_started_and_their_ports_not_checked(
    mac: Machine,
) -> None:
    mac.stub("lsof", 'echo header; [ "$2" = -iTCP:3000 ] && echo "node 77 ann"')
    assert mac.run(MAC).code == 9
    ended = mac.run(MAC, "--without", "grafana")
    assert ended.code == 0, ended.text
    assert "Grafana" not in ended.output
    started = (mac.state / "up").read_text()
    assert "lb" in started.split()
    assert "grafana" not in started.split()
    assert "tools" not in started.split()


def test_a_second_setup_keeps_what_was_scaled(mac: Machine) -> None:
    assert mac.run(MAC).code == 0
    three = "app|millrace|running|Up 2 minutes (healthy)|none\n" * 3
    with (mac.state / "containers").open("a") as containers:
        containers.write(three)
    assert mac.run(MAC).code == 0
    assert "--scale app=4 --scale worker=1" in (mac.state / "up").read_text()


def test_a_service_that_stays_unhealthy_is_shown_with_its_log(mac: Machine) -> None:
    starting = "db|millrace|running|Up 3 seconds (health: starting)|none"
    mac.set(containers=starting, after_up=starting)
    ended = mac.run(MAC, "--wait", "1")
    assert ended.code == 13
    assert "Not all is healthy after 1 s; db starting." in ended.errors
    assert "what logs --no-color --tail=15 db has logged" in ended.errors
    assert "--wait 600" in ended.errors


def test_a_migration_that_fails_is_shown_with_its_log(mac: Machine) -> None:
    mac.set(fail_up="exit 1")
    mac.set(containers="migrate|millrace|exited|Exited (1) 2 seconds ago|none")
    ended = mac.run(MAC)
    assert ended.code == 13
    assert "The service migrate does not come up" in ended.errors


def test_data_without_their_secrets_are_noticed_before_anything_is_started(mac: Machine) -> None:
    mac.set(volumes="millrace_db-data")
    ended = mac.run(MAC)
    assert ended.code == 11
    assert "Put that folder back" in ended.errors
    assert not (mac.checkout / "secrets").exists()


def test_secrets_that_cannot_be_made_end_the_setup(mac: Machine) -> None:
    (mac.checkout / "secrets").write_text("a file where the folder belongs")
    ended = mac.run(MAC)
    assert ended.code == 11
    assert "The secrets cannot be made" in ended.errors


def test_a_port_that_is_ours_already_is_no_problem(mac: Machine) -> None:
    mac.stub("lsof", "echo header; echo com.docker 9 ann")
    mac.set(containers="\n".join(
        f"{service}|millrace|running|Up 2 minutes (healthy)|{port}"
        for service, port in (("lb", 8080), ("prometheus", 9090), ("grafana", 3000))
    ))  # fmt: skip
    assert mac.run(MAC, "--check").code == 0
    mac.set(containers="web|shop|running|Up 2 minutes|8080")
    ended = mac.run(MAC, "--check")
    assert ended.code == 9
    assert "Port 8080 is in use by the container web-1" in ended.errors
    assert "docker stop web-1" in ended.errors


def test_a_port_that_is_none_is_refused(mac: Machine) -> None:
    for wrong in ("http", "0", "65536", "8080x"):
        ended = mac.run(MAC, "--check", MILLRACE_PORT=wrong)
        assert ended.code == 2
        assert f"MILLRACE_PORT is '{wrong}'" in ended.errors


def test_on_linux_a_port_in_use_is_seen_in_the_kernels_table(linux: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = linux.run(LINUX, "--check", MILLRACE_PORT=str(port))
        assert ended.code == 9
        assert f"Port {port} is in use by another program" in ended.errors


def test_on_linux_a_vpns_route_is_told_but_hinders_nothing(linux: Machine) -> None:
    linux.stub("ip", "echo '172.20.0.0/14 dev tun0'; echo '172.20.0.0/16 dev br-1 proto kernel'")
    ended = linux.run(LINUX, "--check")
    assert ended.code == 0
    assert "routes of its own to 172.20.0.0/14" in ended.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--chekc"], "unknown argument '--chekc'"),
        (["--wait"], "--wait needs a value"),
        (["--wait", "soon"], "not 'soon'"),
        (["--delete-data"], "goes with --uninstall"),
        (["--check", "--uninstall"], "exclude each other"),
        (["--without", "db"], "'db' cannot be left out"),
    ],
)
def test_wrong_usage_is_refused(mac: Machine, arguments: list[str], said: str) -> None:
    ended = mac.run(MAC, *arguments)
    assert ended.code == 2
    assert said in ended.errors


def test_help_names_every_option(mac: Machine) -> None:
    for script in (MAC, LINUX):
        ended = mac.run(script, "--help")
        assert ended.code == 0
        for option in ("--check", "--yes", "--uninstall", "--delete-data", "--wait", "--without"):
            assert option in ended.output


def test_a_script_for_another_system_says_which_one_to_run(mac: Machine) -> None:
    ended = mac.run(LINUX)
    assert ended.code == 3
    assert "setup-macos.sh" in ended.errors
    mac.stub("uname", "echo Linux")
    ended = mac.run(MAC)
    assert ended.code == 3
    assert "scripts/setup-linux.sh" in ended.errors


def test_a_missing_curl_is_told(linux: Machine) -> None:
    linux.lose("curl")
    ended = linux.run(LINUX, "--check")
    assert ended.code == 3
    assert "no command curl" in ended.errors


def ctrl_c(process: subprocess.Popen[str]) -> str:
    """Interrupt it as a terminal does; return what it says.

    Again, as people do, while that does not help: bash leaves a signal that comes while a `$(…)`
    runs to that, now and then.
    """
    deadline = time.monotonic() + 30
    while True:
        os.killpg(process.pid, signal.SIGINT)
        try:
            return process.communicate(timeout=2)[1]
        except subprocess.TimeoutExpired:
            assert time.monotonic() < deadline, "it goes on"


def goes_on(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_ctrl_c_ends_what_runs_and_says_how_to_go_on(any_mac: Machine) -> None:
    any_mac.set(hang="")
    process = subprocess.Popen(
        any_mac.command(MAC), cwd=any_mac.checkout, env=any_mac.environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        # a shell cannot trap what is ignored when it begins, as in the background of a script
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    try:
        noted, deadline = any_mac.state / "hanging", time.monotonic() + 30
        while not (noted.exists() and noted.read_text().strip()):
            assert time.monotonic() < deadline, "the build was never begun"
            time.sleep(0.02)
        errors = ctrl_c(process)
        assert process.returncode == 130
        assert "Run ./setup-macos.sh again to go on" in errors
        build, deadline = int(noted.read_text()), time.monotonic() + 30
        while goes_on(build):
            assert time.monotonic() < deadline, "the build goes on"
            time.sleep(0.02)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert not list((any_mac.home.parent / "temporary").iterdir())

"""Taking the stack away: data go only when that was said, and confirmed."""

import pytest

from tests.unit.scripts.machine import Ended, Machine

MAC = "setup-macos.sh"
CLEANUP = "scripts/cleanup.sh"
REMOVE, DELETE = "image of Millrace?", "Type delete"


@pytest.fixture
def running(mac: Machine) -> Machine:
    """Return a Mac on which Millrace runs."""
    mac.start()
    return mac


def is_removed(machine: Machine) -> bool:
    return not (machine.state / "containers").exists()


def has_data(machine: Machine) -> bool:
    """Whether data are there; data and secrets are there together, or neither is."""
    volumes = (machine.state / "volumes").exists()
    assert volumes == (machine.checkout / "secrets" / "db_password").exists()
    return volumes


def test_yes_alone_keeps_the_data_and_their_secrets(running: Machine) -> None:
    for script, arguments in ((MAC, ["--uninstall", "--yes"]), (CLEANUP, ["--yes"]), (CLEANUP, [])):
        ended = running.run(script, *arguments)
        assert ended.code == 0, ended.text
        assert is_removed(running)
        assert has_data(running)
        assert "data are kept" in ended.output
    assert running.run(MAC).code == 0  # and goes on with them


def test_an_uninstall_removes_the_image_that_was_built_here_and_no_other(running: Machine) -> None:
    ended = running.run(MAC, "--uninstall", "--yes")
    assert "image millrace:latest removed" in ended.output
    assert "postgres" not in ended.output


@pytest.mark.parametrize("script", [MAC, CLEANUP])
def test_delete_data_with_yes_deletes_data_and_secrets(running: Machine, script: str) -> None:
    uninstall = ["--uninstall"] if script == MAC else []
    ended = running.run(script, *uninstall, "--yes", "--delete-data")
    assert ended.code == 0, ended.text
    assert is_removed(running)
    assert not has_data(running)


@pytest.mark.parametrize(
    ("script", "arguments"),
    [(MAC, ["--uninstall"]), (MAC, ["--uninstall", "--delete-data"]), (CLEANUP, ["--delete-data"])],
)
def test_where_nobody_can_be_asked_nothing_is_done(
    running: Machine, script: str, arguments: list[str]
) -> None:
    ended = running.run(script, *arguments)
    assert ended.code == 2
    assert "Nothing was done" in ended.errors
    assert not is_removed(running)
    assert has_data(running)


@pytest.mark.parametrize(
    ("answers", "removed", "data"),
    [
        ({REMOVE: "n"}, False, True),
        ({REMOVE: ""}, False, True),
        ({REMOVE: "y", DELETE: "no"}, True, True),
        ({REMOVE: "y", DELETE: "y"}, True, True),
        ({REMOVE: "yes", DELETE: "delete"}, True, False),
    ],
)
def test_at_a_terminal_each_is_asked_by_itself(
    running: Machine, answers: dict[str, str], removed: bool, data: bool
) -> None:
    ended: Ended = running.type(MAC, "--uninstall", answers=answers)
    assert ended.code == 0, ended.text
    assert is_removed(running) is removed
    assert has_data(running) is data


def test_what_cannot_be_removed_keeps_its_secrets(running: Machine) -> None:
    running.set(fail_down="error while removing network: it has active endpoints")
    ended = running.run(CLEANUP, "--yes", "--delete-data")
    assert ended.code == 1
    assert "active endpoints" in ended.errors
    assert has_data(running)


def test_without_docker_nothing_can_be_removed_and_that_is_told(running: Machine) -> None:
    running.set(engine="down")
    ended = running.run(MAC, "--uninstall", "--yes")
    assert ended.code == 5
    assert "Start it, and run this again" in ended.errors
    running.lose("docker", "docker-compose")
    assert running.run(MAC, "--uninstall", "--yes").code == 4


def test_wrong_usage_of_cleanup_is_refused(mac: Machine) -> None:
    ended = mac.run(CLEANUP, "--all")
    assert ended.code == 2
    assert "unknown argument '--all'" in ended.errors

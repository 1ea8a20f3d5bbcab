"""Machines without Docker, or with one that does not run."""

from tests.unit.scripts.machine import Machine

MAC = "setup-macos.sh"
LINUX = "scripts/setup-linux.sh"
STARTS = 'echo up >"$STATE/engine"'


def without_docker(machine: Machine) -> None:
    """Put the commands away, for an installer to bring back."""
    for name in ("docker", "docker-compose"):
        (machine.commands / name).rename(machine.state / f"absent-{name}")


def bring_back(machine: Machine) -> str:
    """Return the script of an installer that brings them."""
    names = ("docker", "docker-compose")
    return "; ".join(f'cp "$STATE/absent-{name}" {machine.commands}/{name}' for name in names)


def test_without_homebrew_the_mac_is_shown_the_download(mac: Machine) -> None:
    without_docker(mac)
    ended = mac.run(MAC, "--yes")
    assert ended.code == 4
    assert "https://docs.docker.com/desktop/setup/install/mac-install/" in ended.errors
    assert "https://brew.sh" in ended.errors


def test_docker_desktop_is_installed_with_homebrew_when_that_is_confirmed(mac: Machine) -> None:
    without_docker(mac)
    mac.stub("brew", bring_back(mac))
    ended = mac.type(MAC, answers={"Install it with Homebrew?": "y"})
    assert ended.code == 0, ended.text
    assert mac.called("brew") == ["brew install --cask docker-desktop"]


def test_docker_desktop_is_not_installed_unasked(mac: Machine) -> None:
    without_docker(mac)
    mac.stub("brew", bring_back(mac))
    for ended in (
        mac.run(MAC),  # nobody is there to answer
        mac.run(MAC, "--check", "--yes"),
        mac.type(MAC, answers={"Install it with Homebrew?": "n"}),
    ):
        assert ended.code == 4
        assert "brew install --cask docker-desktop" in ended.text
    assert mac.called("brew") == []


def test_homebrews_failure_is_told(mac: Machine) -> None:
    without_docker(mac)
    mac.stub("brew", "echo 'Error: the disk is read-only' >&2; exit 1")
    ended = mac.run(MAC, "--yes")
    assert ended.code == 4
    assert "Error: the disk is read-only" in ended.errors
    assert "Homebrew could not install" in ended.errors


def test_an_installed_docker_desktop_is_used_though_its_commands_are_not_on_the_path(
    mac: Machine,
) -> None:
    without_docker(mac)
    commands = mac.home / "Applications" / "Docker.app" / "Contents" / "Resources" / "bin"
    commands.mkdir(parents=True)
    for name in ("docker", "docker-compose"):
        (mac.state / f"absent-{name}").rename(commands / name)
    assert mac.run(MAC).code == 0


def test_a_docker_desktop_that_does_not_run_is_started_and_waited_for(mac: Machine) -> None:
    mac.set(engine="down")
    mac.stub("open", f"({mac.state}/sleep 0.2; {STARTS}) >/dev/null 2>&1 &")
    ended = mac.run(MAC, "--yes")
    assert ended.code == 0, ended.text
    assert mac.called("open") == ["open -a Docker"]


def test_a_docker_desktop_that_does_not_run_is_not_started_unasked(mac: Machine) -> None:
    mac.set(engine="down")
    mac.stub("open", STARTS)
    for arguments in ([], ["--check", "--yes"]):
        ended = mac.run(MAC, *arguments)
        assert ended.code == 5
        assert "open -a Docker" in ended.errors
    assert mac.called("open") == []


def test_a_docker_desktop_that_cannot_be_opened_is_told(mac: Machine) -> None:
    mac.set(engine="down")
    mac.stub("open", "echo 'Unable to find application' >&2; exit 1")
    ended = mac.run(MAC, "--yes")
    assert ended.code == 5
    assert "Unable to find application" in ended.errors
    assert "Docker Desktop > Troubleshoot > Restart" in ended.errors


def test_linux_offers_its_own_packages(linux: Machine) -> None:
    without_docker(linux)
    linux.stub("id", '[ "$1" = -un ] && echo ann || echo 1000')
    linux.stub("sudo", '"$@"')
    linux.stub("apt-cache", "exit 100")
    linux.stub("apt-get", bring_back(linux))
    ended = linux.run(LINUX)
    assert ended.code == 4
    assert "Install it:  sudo apt-get install -y docker.io docker-compose\n" in ended.errors
    assert linux.called("apt-get") == []
    ended = linux.run(LINUX, "--yes")
    assert ended.code == 0, ended.text
    assert linux.called("apt-get") == ["apt-get install -y docker.io docker-compose"]


def test_linux_without_a_known_installer_is_shown_the_documentation(linux: Machine) -> None:
    without_docker(linux)
    ended = linux.run(LINUX, "--yes")
    assert ended.code == 4
    assert "https://docs.docker.com/engine/install/" in ended.errors


def test_linux_whose_installer_fails_is_told_so(linux: Machine) -> None:
    without_docker(linux)
    linux.stub("dnf", "exit 1")
    ended = linux.run(LINUX, "--yes")
    assert ended.code == 4
    assert "could not be installed" in ended.errors


def test_linux_starts_docker_by_systemd(linux: Machine) -> None:
    linux.set(engine="down")
    linux.stub("id", "echo 0")
    linux.stub("systemctl", STARTS)
    assert linux.run(LINUX, "--check").code == 5
    assert linux.run(LINUX, "--yes").code == 0
    assert linux.called("systemctl") == ["systemctl start docker"]


def test_who_may_not_use_docker_is_told_which_group_to_join(linux: Machine) -> None:
    linux.set(engine="closed")
    linux.stub("id", '[ "$1" = -un ] && echo ann || echo 1000')
    linux.stub("systemctl", STARTS)
    ended = linux.run(LINUX, "--yes")
    assert ended.code == 5
    assert "usermod -aG docker ann" in ended.errors
    assert linux.called("systemctl") == []

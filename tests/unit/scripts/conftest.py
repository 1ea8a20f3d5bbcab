"""Made-up machines."""

import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.scripts.machine import Machine

SCRIPTS = {"Darwin": "setup-macos.sh", "Linux": "scripts/setup-linux.sh"}
SHELLS = [("dash",), ("bash", "--posix")]  # bash is macOS' shell; dash knows no bashism


@pytest.fixture
def mac(tmp_path: Path) -> Machine:
    """Return a Mac with Docker."""
    return Machine(tmp_path, "Darwin")


@pytest.fixture
def linux(tmp_path: Path) -> Machine:
    """Return a Linux with Docker; its ports are those of this machine, so free ones are taken."""
    machine = Machine(tmp_path, "Linux")
    with ExitStack() as servers:
        for name in ("MILLRACE_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"):
            server = servers.enter_context(socket.create_server(("127.0.0.1", 0)))
            machine.environment[name] = str(server.getsockname()[1])
    return machine


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def any_mac(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """Return a Mac whose shell is one of several."""
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"there is no {request.param[0]} here")
    return Machine(tmp_path, "Darwin", request.param)

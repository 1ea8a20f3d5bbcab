"""The program with the proxies, and the socket by which it is told what to do."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.faults.control import Control, ControlFailed
from cli.faults.rules import Rule, Rules
from tests.chaos.local_proxy import LIMIT_S, PlainServer, is_ended, is_silent, received, until

SILENT = Rules(to_server=Rule(swallow=True))


class Faults:
    """The program, with one proxy that is called postgresql."""

    def __init__(self, folder: Path) -> None:
        self.server = PlainServer(str(folder / "server"))
        self.folder = folder / "f"
        self.control = self.folder / "control"
        self._proxy = self.folder / "proxy"
        argv = [sys.executable, "-m", "cli.faults", "--control", str(self.control), "--proxy"]
        argv += ["postgresql", f"unix:{self._proxy}", str(self.server.address)]
        self.process = subprocess.Popen(argv)
        until(self._answers)

    def _answers(self) -> bool:
        with Control(self.control) as control:
            try:
                return control.connections("postgresql") == 0
            except ControlFailed:
                return False

    def connect(self) -> socket.socket:
        """Return a client's connection."""
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(LIMIT_S)
        made.connect(str(self._proxy))
        return made

    def passes(self) -> bool:
        """Tell whether a new connection leads to the server."""
        with self.connect() as client, self.server.accept() as server:
            client.sendall(b"x")
            return received(server, 1) == b"x"

    def swallows(self) -> bool:
        """Tell whether what a new connection is given never reaches the server."""
        with self.connect() as client, self.server.accept() as server:
            client.sendall(b"x")
            return is_silent(server)


@pytest.fixture
def faults(short_folder: Path) -> Iterator[Faults]:
    running = Faults(short_folder)
    yield running
    running.process.terminate()
    assert running.process.wait(LIMIT_S) == 0
    running.server.close()
    assert not running.folder.exists()


def test_rules_hold_until_others_are_set(faults: Faults) -> None:
    assert faults.passes()
    with Control(faults.control) as control:
        control.set("postgresql", SILENT)
        assert faults.swallows()
        control.reset("postgresql")
        assert faults.passes()


def test_connections_are_counted_cut_and_left_half_open(faults: Faults) -> None:
    with Control(faults.control) as control, faults.connect() as client:
        server = faults.server.accept()
        assert control.connections("postgresql") == 1
        assert control.half_open("postgresql") == 1
        assert is_ended(server)
        assert is_silent(client)
        control.reset("postgresql")
        assert is_ended(client)
        with faults.connect() as another, faults.server.accept():
            assert control.cut("postgresql") == 1
            assert is_ended(another)
        server.close()


def test_what_a_drill_that_died_has_set_is_taken_back(faults: Faults) -> None:
    dying, other = Control(faults.control), Control(faults.control)
    dying.set("postgresql", SILENT)
    assert faults.swallows()
    dying.close()
    until(lambda: not faults.swallows())
    assert faults.passes()
    dying.set("postgresql", SILENT)
    other.set("postgresql", SILENT)
    dying.close()
    other.connections("postgresql")
    assert faults.swallows()
    other.close()


def test_what_cannot_be_understood_is_told_and_changes_nothing(faults: Faults) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(LIMIT_S)
        raw.connect(str(faults.control))
        lines = raw.makefile("rwb")
        for question, told in (
            (b"nonsense", "JSON"),
            (b'{"do": "explode", "proxy": "postgresql"}', "explode"),
            (b'{"do": "count", "proxy": "mysql"}', "there are postgresql"),
            (b'{"do": "set", "proxy": "postgresql", "rules": {"to_server": {"delay_s": -1}}}',
             "rules.to_server.delay_s"),
        ):  # fmt: skip
            lines.write(question + b"\n")
            lines.flush()
            assert told in json.loads(lines.readline())["error"]
        lines.close()
    assert faults.passes()
    with Control(faults.control) as control, pytest.raises(ControlFailed, match="refuse"):
        control.cut("redis")


def test_a_program_that_is_not_there_is_told(short_folder: Path) -> None:
    with pytest.raises(ControlFailed, match="do not answer"):
        Control(short_folder / "nobody").cut("redis")


def test_a_killed_program_takes_its_place_again(faults: Faults, short_folder: Path) -> None:
    faults.process.send_signal(signal.SIGKILL)
    faults.process.wait(LIMIT_S)
    faults.server.close()
    (short_folder / "server").unlink()
    again = Faults(short_folder)
    faults.process, faults.server = again.process, again.server
    assert again.passes()

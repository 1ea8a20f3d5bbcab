"""A machine that is made up: its commands, its Docker, and a checkout to run scripts in."""

import os
import pty
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
STUBS = Path(__file__).parent / "stubs"
GIB = 1024**3

# what every Unix has; nothing else of this machine can be met by the scripts
TOOLS = (
    "awk", "basename", "cat", "chmod", "cp", "cut", "date", "dirname", "env", "grep", "head", "id",
    "mkdir", "mktemp", "mv", "rm", "rmdir", "sed", "sh", "sort", "tail", "touch", "tr", "wc",
    "xargs",
)  # fmt: skip

COMPOSE_FILE = """\
name: millrace
networks:
  frontend:
    ipam:
      config:
        - subnet: 172.20.0.0/16
  backend:
    ipam:
      config:
        - subnet: 172.21.0.0/16
services:
  app:
    build: {context: .}
    image: millrace:latest
  db:
    image: postgres:17
  grafana:
    image: grafana/grafana:11.6.0
  lb:
    build: {context: .}
    image: millrace:latest
  tools:
    image: millrace:latest
    profiles:
      - tools
"""


@dataclass(frozen=True)
class Ended:
    """How a script ended."""

    code: int
    output: str
    errors: str = ""

    @property
    def text(self) -> str:
        """Return all that it said."""
        return self.output + self.errors


class Machine:
    """One with Docker and all it needs, until a test takes something away."""

    def __init__(self, folder: Path, system: str, shell: tuple[str, ...] = ("sh",)) -> None:
        self.state = folder / "state"
        self.commands = folder / "commands"
        self.home = folder / "home"
        self.checkout = folder / "checkout"
        self._shell = [str(shutil.which(shell[0])), *shell[1:]]
        for made in (self.state, self.commands, self.home, folder / "temporary"):
            made.mkdir(parents=True)
        self.environment = {
            "PATH": str(self.commands), "HOME": str(self.home), "STATE": str(self.state),
            "TMPDIR": str(folder / "temporary"), "LC_ALL": "C", "TERM": "xterm", "USER": "ann",
        }  # fmt: skip
        self._copy_checkout()
        for tool in TOOLS:
            (self.commands / tool).symlink_to(str(shutil.which(tool)))
        for stub in STUBS.iterdir():
            shutil.copy(stub, self.commands / stub.name)
        self.stub("uname", f'[ "$1" = -m ] && echo arm64 || echo {system}')
        self.stub("sysctl", f'[ "$2" = hw.memsize ] && echo {16 * GIB} || echo 8')
        self.stub("df", 'echo header; echo "disk 1 1 $(cat "$STATE/disk") 1% /"')
        self.stub("lsof", "exit 1")
        # polls come soon, and do not use up the machine that runs the tests
        (self.state / "sleep").symlink_to(str(shutil.which("sleep")))
        self.stub(
            "sleep",
            '[ ! -e "$STATE/hanging" ] || exec "$STATE/sleep" "$@"\nexec "$STATE/sleep" 0.01',
        )
        self.set(
            engine="up", memory=8 * GIB, cpus=4, disk=50 * 1024 * 1024, compose=2, images="",
            compose_version="2.39.1", config=COMPOSE_FILE, networks="bridge||172.17.0.0/16 ",
        )  # fmt: skip

    def _copy_checkout(self) -> None:
        (self.checkout / "scripts").mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", self.checkout / "scripts", dirs_exist_ok=True)
        for name in ("setup-macos.sh", ".env.example"):
            shutil.copy(ROOT / name, self.checkout / name)

    def set(self, **facts: object) -> None:
        """Set facts of the made-up Docker; underscores stand for hyphens."""
        for name, fact in facts.items():
            (self.state / name.replace("_", "-")).write_text(f"{fact}\n")

    def start(self) -> None:
        """Let Millrace run already, with data and secrets."""
        services = ("db", "redis", "app", "worker", "lb")
        lines = (f"{name}|millrace|running|Up 2 minutes (healthy)|none" for name in services)
        self.set(volumes="millrace_db-data", images="postgres:17", containers="\n".join(lines))
        (self.checkout / "secrets").mkdir()
        (self.checkout / "secrets" / "db_password").write_text("s3cret\n")

    def stub(self, name: str, script: str) -> None:
        """Give the machine a command; what it is called with is noted."""
        command = self.commands / name
        command.unlink(missing_ok=True)
        command.write_text(f'#!/bin/sh\necho "{name} $*" >>"$STATE/calls"\n{script}\n')
        command.chmod(command.stat().st_mode | stat.S_IXUSR)

    def lose(self, *names: str) -> None:
        """Take commands away."""
        for name in names:
            (self.commands / name).unlink()

    def called(self, name: str) -> list[str]:
        """Return the calls of a stub, each with its arguments."""
        calls = self.state / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line for line in lines if line.split()[0] == name]

    def command(self, script: str, *arguments: str) -> list[str]:
        """Return the command line that runs a script here."""
        return [*self._shell, script, *arguments]

    def run(self, script: str, *arguments: str, **variables: str) -> Ended:
        """Run a script without a terminal."""
        ended = subprocess.run(
            self.command(script, *arguments), cwd=self.checkout, capture_output=True, text=True,
            env=self.environment | variables, stdin=subprocess.DEVNULL, timeout=100, check=False,
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def type(self, script: str, *arguments: str, answers: Mapping[str, str]) -> Ended:
        """Run a script at a terminal; each question that holds a key gets its answer once."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.command(script, *arguments), cwd=self.checkout, env=self.environment,
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        said, left, deadline = "", dict(answers), time.monotonic() + 100
        try:
            while time.monotonic() < deadline:
                try:
                    said += os.read(ours, 4096).decode()
                except OSError:  # Linux' way to say that the other side has closed
                    break
                for question in [key for key in left if key in said]:
                    os.write(ours, f"{left.pop(question)}\n".encode())
        finally:
            os.close(ours)
            process.kill() if time.monotonic() >= deadline else None
        return Ended(process.wait(10), said)

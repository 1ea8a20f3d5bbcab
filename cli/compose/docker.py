"""The `docker` command: it finds the engine wherever that is, on macOS in another machine."""

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from cli.errors import CommandError

LIMIT_S = 30.0

Run = Callable[[Sequence[str], float], "subprocess.CompletedProcess[str]"]


class DockerFailed(CommandError):
    """A command of docker failed; the message has its last words."""


class DockerMissing(CommandError):
    """There is no docker to run, or its engine does not answer."""


def run_command(argv: Sequence[str], limit_s: float) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end.  Raises OSError, subprocess.TimeoutExpired."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False
    )


class Docker:
    """Runs `docker`; `run` is how.  Safe for several threads."""

    def __init__(self, run: Run = run_command) -> None:
        self._run = run

    def __call__(self, *arguments: str, limit_s: float = LIMIT_S) -> str:
        """Return what a command writes.  Raises DockerFailed, DockerMissing."""
        try:
            done = self._run(["docker", *arguments], limit_s)
        except FileNotFoundError as error:
            raise DockerMissing("There is no command docker here: install Docker.") from error
        except subprocess.TimeoutExpired as error:
            raise DockerFailed(
                f"docker {arguments[0]} has not come to its end within {limit_s:.0f} s."
            ) from error
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip()
            last = words.splitlines()[-1] if words else f"exit code {done.returncode}"
            if "daemon running" in words:
                raise DockerMissing(f"Docker's engine does not answer: {last}")
            raise DockerFailed(f"docker {arguments[0]}: {last}")
        return done.stdout

    def inspect(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the engine knows of these containers.  Raises DockerFailed, DockerMissing."""
        if not names:
            return []
        found: list[dict[str, Any]] = json.loads(self("container", "inspect", *names))
        return found

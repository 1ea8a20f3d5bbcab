"""An engine in memory: does what a drill's docker commands ask, and remembers them."""

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from cli.compose.container import ALLOWED, LABEL
from cli.compose.docker import Docker

FILE = "/srv/stack/docker-compose.production.yml"


def described(
    service: str, number: int = 1, *, label: str = ALLOWED, **changes: Any
) -> dict[str, Any]:
    """A container as `docker container inspect` describes it."""
    name = f"millrace_{service}_{number}"
    compose = "com.docker.compose"
    document: dict[str, Any] = {
        "Id": f"id-{service}-{number}",
        "Name": f"/{name}",
        "Image": "sha256:millrace",
        "Config": {
            "Hostname": f"host-{service}-{number}",
            "Env": [],
            "Labels": {
                LABEL: label,
                f"{compose}.project": "millrace",
                f"{compose}.service": service,
                f"{compose}.oneoff": "False",
                f"{compose}.project.working_dir": "/srv/stack",
                f"{compose}.project.config_files": "docker-compose.production.yml",
            },
        },
        "HostConfig": {"Init": service in {"lb", "app", "worker"}},
        "NetworkSettings": {
            "Networks": {"millrace_backend": {"Aliases": [service, f"host-{service}-{number}"]}},
            "Ports": {},
        },
        "State": {"Status": "running", "StartedAt": "2026-01-02T03:04:05.25Z"},
    }
    return document | changes


class Engine:
    """`fail` names commands that fail, with what they then say; `meanwhile`, what then happens."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        self.containers = {one["Id"]: one for one in containers}
        self.done: list[list[str]] = []
        self.answers: dict[str, str] = {}
        self.fail: dict[str, str] = {}
        self.meanwhile: dict[str, Callable[[], None]] = {}

    @property
    def docker(self) -> Docker:
        return Docker(self.run)

    def deeds(self) -> list[list[str]]:
        """What was asked for beside looking."""
        return [one for one in self.done if one[0] not in {"ps", "container"}]

    def run(self, argv: Sequence[str], limit_s: float) -> "subprocess.CompletedProcess[str]":
        command = list(argv[1:])
        self.done.append(command)
        self.meanwhile.get(command[0], lambda: None)()
        if command[0] in self.fail:
            return subprocess.CompletedProcess(argv, 1, "", self.fail[command[0]])
        return subprocess.CompletedProcess(argv, 0, self._answer(command), "")

    def _answer(self, command: list[str]) -> str:
        if command[0] == "ps":
            return "\n".join(self.containers)
        if command[:2] == ["container", "inspect"]:
            return json.dumps([self.containers[name] for name in command[2:]])
        states = {"pause": "paused", "unpause": "running", "kill": "exited", "start": "running"}
        if command[0] in states:
            self.containers[command[1]]["State"]["Status"] = states[command[0]]
        if command[0] == "network":
            self._network(command[1:])
        return self.answers.get(command[0], "")

    def _network(self, words: list[str]) -> None:
        network, name = words[-2:]
        there = self.containers[name]["NetworkSettings"]["Networks"]
        if words[0] == "disconnect":
            del there[network]
        else:
            there[network] = {"Aliases": words[2:-2:2]}

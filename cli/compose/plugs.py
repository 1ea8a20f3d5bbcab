"""Takes containers off their networks and puts them back under the same names.

The engine forgets at once in which networks a container was, and under which names; so that is
written down before, for the next drill, should this one be killed.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from cli.compose.container import Container
from cli.compose.docker import Docker, DockerFailed

Names = Mapping[str, tuple[str, ...]]  # by network, the names under which it is found there


class Plugs:
    """`note`: the file that says what is unplugged just now; missing while nothing is."""

    def __init__(self, docker: Docker, note: Path) -> None:
        self._docker = docker
        self._note = note

    def pull(self, container: Container) -> None:
        """Take a container off all its networks.  Raises DockerFailed."""
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(json.dumps({"id": container.id, "networks": container.networks}))
        for network in container.networks:
            self._docker("network", "disconnect", network, container.id)

    def put_back(self) -> None:
        """Put back what is unplugged, if anything is.  Raises DockerFailed."""
        try:
            noted = json.loads(self._note.read_text())
        except (OSError, ValueError):
            return
        found = []
        with contextlib.suppress(DockerFailed):  # it has been removed
            found = self._docker.inspect([noted["id"]])
        for one in found:
            names: Names = noted["networks"]
            there = Container.of(one).networks
            for network in names.keys() - there.keys():
                aliases = [word for alias in names[network] for word in ("--alias", alias)]
                self._docker("network", "connect", *aliases, network, noted["id"])
        self._note.unlink(missing_ok=True)

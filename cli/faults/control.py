"""Tells the proxies what to do: one connection, a JSON object a line, each answered by one."""

import json
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from cli.errors import CommandError
from cli.faults.rules import PASS, Rules

TIMEOUT_S = 5.0

Server = Literal["postgresql", "redis"]
Side = Literal["client", "server"]


class ControlFailed(CommandError):
    """The program with the proxies does not answer, or refuses."""


class Control:
    """What can be done to the connections of a stack.  Connects when first used.

    Rules last until others are set, and end with this connection.  Safe for several threads.
    Every call raises ControlFailed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._rest = b""

    def set(self, server: Server, rules: Rules) -> None:
        """Put these rules on all connections to a server, those to come included."""
        self._ask({"do": "set", "proxy": server, "rules": rules.model_dump()})

    def reset(self, server: Server) -> None:
        """Let everything pass again; connections that lost bytes are cut."""
        self.set(server, PASS)

    def cut(self, server: Server) -> int:
        """Cut all connections that there are; return how many."""
        return int(self._ask({"do": "cut", "proxy": server})["connections"])

    def half_open(self, server: Server, side: Side = "server") -> int:
        """Close the one `side` of all connections that there are, and tell the other nothing.

        Returns how many.  What the other side sends is swallowed; it is cut at the next `reset`.
        """
        asked = {"do": "half_open", "proxy": server, "side": side}
        return int(self._ask(asked)["connections"])

    def connections(self, server: Server) -> int:
        """Return how many connections there are."""
        return int(self._ask({"do": "count", "proxy": server})["connections"])

    def close(self) -> None:
        """Disconnect, which ends every rule that was set here."""
        with self._lock:
            self._disconnect()

    def __enter__(self) -> Self:
        """Nothing: connected when first used."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            try:
                answer = self._exchange(json.dumps(question).encode() + b"\n")
            except (OSError, ValueError) as error:
                self._disconnect()
                raise ControlFailed(
                    f"The proxies at {self._path} do not answer: {error}"
                ) from error
        if "error" in answer:
            raise ControlFailed(f"The proxies refuse: {answer['error']}")
        return answer

    def _exchange(self, line: bytes) -> dict[str, Any]:
        if self._socket is None:
            self._rest = b""
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(str(self._path))
        self._socket.sendall(line)
        while b"\n" not in self._rest:
            read = self._socket.recv(65536)
            if not read:
                raise ConnectionResetError("the connection was closed")
            self._rest += read
        answered, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(answered)
        return answer

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

"""Docker's engine: its API over a unix socket, from version 1.41 (engine 20.10) on."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from scaler.driver import DriverFailed

OLDEST, NEWEST = (1, 41), (1, 47)  # what this client speaks
MOST_BYTES = 32 * 1024 * 1024  # of an answer
_CHUNK = 64 * 1024

Json: TypeAlias = "dict[str, Any]"


class EngineAway(DriverFailed):
    """The engine does not answer, or not in time."""


class EngineRefused(DriverFailed):
    """The engine answered with an error; `status` is that of HTTP."""

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(f"Docker's engine refuses {what}: {message} (HTTP {status})")
        self.status = status


class Engine:
    """Calls of the engine, each over a connection of its own, and bounded in time as a whole.

    Safe for several threads.
    """

    def __init__(
        self,
        path: Path,
        timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._prefix: str | None = None

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        more_s: float = 0.0,
    ) -> Any:
        """Return what the engine answers, read as JSON; None where it says nothing.

        `more_s`: what the call itself may take besides the usual time.  Raises EngineAway,
        EngineRefused.
        """
        if self._prefix is None:
            self._prefix = _prefix(self._exchange("GET", "/version", None, 0.0))
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        try:
            return self._exchange(method, target, body, more_s)
        except EngineAway:
            self._prefix = None  # it may come back as another version
            raise

    def _exchange(
        self, method: str, target: str, body: Mapping[str, Any] | None, more_s: float
    ) -> Any:
        what = f"{method} {target.partition('?')[0]}"
        end = self._monotonic() + self._timeout_s + more_s
        connection = _UnixConnection(self._path, lambda: end - self._monotonic())
        try:
            payload = None if body is None else json.dumps(body).encode()
            headers = {} if payload is None else {"Content-Type": "application/json"}
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            data = connection.rest(response)
        except (OSError, http.client.HTTPException) as error:
            raise EngineAway(self._away(what, error)) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineRefused(what, response.status, _message(data))
        try:
            return json.loads(data) if data.strip() else None
        except ValueError as error:
            raise EngineAway(f"{self._path}: {what} was not answered with JSON") from error

    def _away(self, what: str, error: Exception) -> str:
        told = f"Docker's engine does not answer {what} at {self._path}"
        if isinstance(error, PermissionError):
            return f"{told}: permission denied. Give the group of the socket: MILLRACE_DOCKER_GID."
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return f"{told}: {error.strerror}. Is MILLRACE_SCALER_DOCKER_SOCKET its path?"
        if isinstance(error, TimeoutError):
            return f"{told} in time."
        return f"{told}: {str(error) or type(error).__name__}"


class _UnixConnection(http.client.HTTPConnection):
    """A connection of which every wait ends at the same moment."""

    def __init__(self, path: Path, remaining_s: Callable[[], float]) -> None:
        super().__init__("localhost")
        self._path = path
        self._remaining_s = remaining_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._limit()
        self.sock.connect(str(self._path))

    def rest(self, response: http.client.HTTPResponse) -> bytes:
        """Read what is left of the answer.  Raises OSError, also when it is too long."""
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > MOST_BYTES:
                raise OSError(f"it answers with more than {MOST_BYTES} bytes")
            self._limit()
        return bytes(data)

    def _limit(self) -> None:
        left_s = self._remaining_s()
        if left_s <= 0:
            raise TimeoutError
        if self.sock is not None:  # after the last byte of an answer it may be closed already
            self.sock.settimeout(left_s)


def _prefix(version: Any) -> str:
    """Return the path's beginning that names the version both sides speak.  Raises EngineAway."""
    try:
        newest, oldest = _numbers(version["ApiVersion"]), _numbers(version["MinAPIVersion"])
    except (KeyError, TypeError, ValueError) as error:
        raise EngineAway("What answers at the socket is no Docker engine.") from error
    chosen = min(newest, NEWEST)
    if chosen < max(oldest, OLDEST):
        raise EngineAway(
            f"Docker's engine speaks API {_text(oldest)} to {_text(newest)}, and Millrace "
            f"{_text(OLDEST)} to {_text(NEWEST)}: update the older of them."
        )
    return f"/v{_text(chosen)}"


def _numbers(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"]).strip()[:500]
    except (KeyError, TypeError, ValueError):
        return data.decode(errors="replace").strip()[:500] or "no reason given"


def in_path(name: str, also: str = "") -> str:
    """Return a name or id as a part of a path; characters of `also` stay as they are."""
    return quote(name, safe=also)

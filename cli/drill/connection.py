"""A client's connection: every request ends in a reply, and no failure of the network raises."""

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cli.drill.event import FINE, Outcome

JSON = "application/json"
# what a problem of these types was answered to has certainly had no effect, although it is a 5xx
NOTHING_DONE = frozenset(
    f"/problems/{name}"
    for name in (
        "digest-store-busy", "too-many-jobs", "too-many-uploads", "too-many-bodies",
        "too-many-queued",
    )
)  # fmt: skip
REFUSED = "connection refused"


@dataclass(frozen=True)
class Reply:
    """How a request ended; `status` None: by the failure of the connection that `broken` names.

    Times in seconds, by the clock of the connection.
    """

    invoked_at: float
    completed_at: float
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    broken: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether it was answered as wished."""
        return self.status is not None and self.status < http.client.BAD_REQUEST

    @property
    def problem(self) -> str:
        """The problem's type; empty where there is none."""
        if self.is_fine or self.status is None:
            return ""
        document = self.document()
        return str(document.get("type", "")) if isinstance(document, dict) else ""

    @property
    def ending(self) -> str:
        """How it ended, for tables."""
        if self.status is None:
            return self.broken
        if self.is_fine:
            return FINE
        return f"{self.status} {self.problem.removeprefix('/problems/')}".rstrip()

    @property
    def outcome(self) -> Outcome:
        """What is known of an effect that was asked for.

        A 5xx says nothing of that, unless its problem's type does: a commit can have succeeded
        just before the answer to it was lost.
        """
        if self.status is None:
            return "failed" if self.broken == REFUSED else "unknown"
        if self.is_fine:
            return "ok"
        is_sure = self.status < http.client.INTERNAL_SERVER_ERROR or self.problem in NOTHING_DONE
        return "failed" if is_sure else "unknown"

    @property
    def retry_after_s(self) -> float | None:
        """When to ask again, in seconds, if the answer says so."""
        given = self.headers.get("retry-after", "")
        return float(given) if given.isdecimal() else None

    def document(self) -> Any:
        """Return the body's JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Connection:
    """Asks one address, on one connection that is kept; made anew when it has failed."""

    def __init__(self, address: str, timeout_s: float, clock: Callable[[], float]) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=timeout_s
        )
        self._clock = clock

    def ask(
        self, method: str, path: str, body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        """Send a request and read all of its answer; what is no bytes is sent as JSON."""
        given = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            given["Content-Type"], body = JSON, json.dumps(body).encode()
        invoked_at = self._clock()
        try:
            self._connection.request(method, path, body, given)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return Reply(invoked_at, self._clock(), None, {}, b"", _why(error))
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(invoked_at, self._clock(), response.status, found, content)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, http.client.IncompleteRead):
        return "answer cut off"
    return "connection broken"

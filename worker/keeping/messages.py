"""What a keeper's process tells its worker: one JSON array a line."""

import json
import os
from collections.abc import Callable
from typing import Any

from segments.reports import Built


class ReportsBySending:
    """Sends each report; a worker that is gone hears nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def event(self, name: str, cause: str, **facts: object) -> None:
        """Take note of a change of state."""
        self._send("event", name, cause, facts)

    def built(self, built: Built, seconds: float) -> None:
        """Take note of a segment."""
        self._send("built", built.row_count, built.byte_size, seconds)

    def failed(self, cause: str) -> None:
        """Take note that a build failed."""
        self._send("failed", cause)

    def removed(self, files: int) -> None:
        """Take note of files that were removed."""
        self._send("removed", files)

    def _send(self, *parts: Any) -> None:
        line = json.dumps(parts, default=str).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except BrokenPipeError:
            return


def hear(line: bytes, handlers: dict[str, Callable[..., None]]) -> None:
    """Pass a line on to the handler of its kind."""
    kind, *parts = json.loads(line)
    if kind == "event":
        name, cause, facts = parts
        handlers[kind](name, cause, **facts)
    else:
        handlers[kind](*parts)

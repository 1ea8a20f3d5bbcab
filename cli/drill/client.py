"""One client of a drill: it asks, and writes into the history how that ended."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.drill.connection import Connection, Reply
from cli.drill.event import Outcome, Source, Value
from cli.drill.history import History


@dataclass(frozen=True)
class Client:
    """`rng` decides what it asks; `pause` waits some seconds, and tells whether to give up."""

    connection: Connection
    history: History
    rng: random.Random
    source: Source
    pause: Callable[[float], bool]

    def ask(
        self, method: str, path: str, body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        """Send a request; it is not in the history before it is noted."""
        return self.connection.ask(method, path, body, headers)

    def note(
        self, kind: str, reply: Reply, value: Value = None, *, outcome: Outcome | None = None,
        ending: str | None = None, stale: bool = False, is_part: bool = False,
    ) -> None:  # fmt: skip
        """Write into the history how a request ended, or an item of it.

        `outcome` and `ending` are the reply's unless given: the caller knows what it means.
        """
        self.history.add(
            kind, reply.invoked_at, reply.completed_at, outcome or reply.outcome, value,
            ending=reply.ending if ending is None else ending, stale=stale,
            source="part" if is_part else self.source,
        )  # fmt: skip

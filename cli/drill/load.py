"""The clients of a drill: each asks, waits for the answer, and asks again at its own pace."""

import random
import threading
from collections.abc import Sequence

from cli.drill.client import Client
from cli.drill.mix import Action


class Load:
    """Runs clients in threads until it is stopped.

    `rate`: requests a second that all of them begin together, while answers come in time; a
    client whose answer is late does not make up for it, as people do not.
    """

    def __init__(
        self, actions: Sequence[tuple[Action, int]], rate: float,
        clients: Sequence[Client], stopping: threading.Event,
    ) -> None:  # fmt: skip
        self._actions = [action for action, _ in actions]
        self._weights = [weight for _, weight in actions]
        self._every_s = len(clients) / rate
        self._stopping = stopping
        self._threads = [
            # daemon: one that hangs in a dead connection must not keep the drill from its end
            threading.Thread(target=self._run, args=[client], name=f"drill-{place}", daemon=True)
            for place, client in enumerate(clients, 1)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, limit_s: float) -> None:
        """End; requests that are under way have `limit_s` seconds."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(limit_s)

    def _run(self, client: Client) -> None:
        due_at = client.history.now() + client.rng.uniform(0, self._every_s)
        while not self._stopping.wait(max(0.0, due_at - client.history.now())):
            [action] = client.rng.choices(self._actions, self._weights)
            action(client)
            pause_s = self._every_s * client.rng.uniform(0.5, 1.5)
            due_at = max(client.history.now(), due_at + pause_s)
        client.connection.close()


def seeded(seed: int, *names: object) -> random.Random:
    """Return random numbers of their own for one part of the drill, the same for one seed."""
    return random.Random(":".join(map(str, (seed, *names))))  # noqa: S311 - no secret

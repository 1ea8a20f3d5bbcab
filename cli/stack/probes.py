"""Health probes of programs: each answers yes or no, and never fails."""

import http.client
from collections.abc import Callable

import redis

from tasks.errors import QueueError
from tasks.heartbeat import Workers

TIMEOUT_S = 2.0


def http_probe(host: str, port: int, path: str) -> Callable[[], bool]:
    """Return a probe that tells whether GET `path` answers 200."""

    def probe() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


class WorkerProbes:
    """Whether workers are on the roll of live workers."""

    def __init__(self, client: redis.Redis) -> None:
        self._workers = Workers(client)

    def is_on_roll(self, name: str) -> bool:
        """Tell whether the worker's heartbeat is there."""
        try:
            return any(worker.name == name for worker in self._workers.list())
        except QueueError:
            return False

    def is_alive(self, name: str) -> bool:
        """Tell whether the worker beats; while Redis is away nobody can, and nobody is blamed."""
        try:
            return any(worker.name == name for worker in self._workers.list())
        except QueueError:
            return True

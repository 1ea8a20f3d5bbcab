"""Health probes of programs: each answers yes or no, and never fails."""

import http.client
import socket
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
        self._host = socket.gethostname()

    def is_on_roll(self, pid: int | None) -> bool:
        """Tell whether the heartbeat of this machine's worker of that process id is there."""
        try:
            return self._is_there(pid)
        except QueueError:
            return False

    def is_alive(self, pid: int | None) -> bool:
        """Tell whether the worker beats; while Redis is away nobody can, and nobody is blamed."""
        try:
            return self._is_there(pid)
        except QueueError:
            return True

    def _is_there(self, pid: int | None) -> bool:
        roll = self._workers.list()
        return any(worker.pid == pid and worker.host == self._host for worker in roll)

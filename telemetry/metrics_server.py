"""A program's small HTTP server, for Prometheus and for who asks whether it lives."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, exposition

SILENCE_S = 5.0  # a client that says nothing for so long is cut off

Health = Callable[[], Mapping[str, Any]]


class CannotListen(Exception):
    """The address is in use, or is none of this machine."""


class MetricsServer:
    """Serves `/metrics` and `/health` at host:port, in daemon threads; port 0 takes a free one.

    Raises CannotListen.
    """

    def __init__(self, listen: str, registry: CollectorRegistry, health: Health) -> None:
        host, _, port = listen.rpartition(":")
        try:
            self._server = _Server((host.strip("[]"), int(port)), _handler(registry, health))
        except OSError as error:
            raise CannotListen(f"{listen} cannot be listened on: {error.strerror}") from error

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        host, port, *_ = self._server.server_address
        name = host.decode() if isinstance(host, bytes) else str(host)
        return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"

    def start(self) -> None:
        """Begin to serve; returns at once."""
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]
    ) -> None:  # fmt: skip
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the client has gone."""


def _handler(registry: CollectorRegistry, health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._send(exposition.CONTENT_TYPE_LATEST, exposition.generate_latest(registry))
                case "/health":
                    self._send("application/json", json.dumps(health()).encode())
                case _:
                    self.send_error(HTTPStatus.NOT_FOUND, "Known are /metrics and /health")

        def _send(self, content_type: str, body: bytes) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: scrapes are no news."""

    return Handler

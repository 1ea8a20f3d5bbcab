"""A small Docker engine for what a real one cannot be made to do: to refuse, to hang, to go away.

It keeps containers with names, labels and states as the engine does, and runs nothing.
"""

import json
import re
import socket
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMPOSE = "com.docker.compose"
IMAGE = "sha256:" + "1" * 64

Json = dict[str, Any]


class EngineOfTests(ThreadingUnixStreamServer):
    """`refusals`: by `METHOD path` (a pattern), what is answered instead, each once.

    `calls` has what was asked, without the version.  `before` is called at each call, before it is
    answered.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path) -> None:
        self.containers: dict[str, Json] = {}
        self.refusals: dict[str, list[tuple[int, str]]] = {}
        self.calls: list[str] = []
        self.versions = {"ApiVersion": "1.43", "MinAPIVersion": "1.12"}
        self.prefix = "/v1.43"
        self.images = {"millrace:latest": IMAGE}
        self.before: Callable[[str], None] = lambda _what: None
        self.closing = threading.Event()
        super().__init__(str(path), Handler)

    def add(self, service: str, number: int, **more: Any) -> str:
        """Have a running container, as Compose v2 makes one; return its id."""
        project, separator = more.pop("project", "shop"), more.pop("separator", "-")
        labels = {
            f"{COMPOSE}.project": project,
            f"{COMPOSE}.service": service,
            f"{COMPOSE}.container-number": str(number),
            f"{COMPOSE}.config-hash": "abc",
            f"{COMPOSE}.oneoff": "False",
        } | more.pop("labels", {})
        container = uuid.uuid4().hex * 2
        name = f"{project}{separator}{service}{separator}{number}"
        self.containers[container] = {
            "Id": container,
            "Name": f"/{name}",
            "Image": IMAGE,
            "Created": len(self.containers),
            "State": {"Status": "running", "Health": {"Status": "healthy"}},
            "Config": {
                "Hostname": container[:12], "Image": "millrace:latest", "Labels": labels,
                "StopTimeout": 1, "Env": ["A=1"], "MacAddress": "02:42:ac:16:00:05",
            },
            "HostConfig": {"NetworkMode": f"{project}_worker", "Memory": 1024, "Init": True},
            "NetworkSettings": {
                "Networks": {
                    f"{project}_worker": {
                        "Aliases": [name, service, container[:12]], "IPAddress": "172.22.0.5",
                    },
                },
            },
        }  # fmt: skip
        for key, value in more.items():
            self.containers[container][key] = value
        return container

    def names(self, *states: str) -> list[str]:
        """Return the names of the containers in these states, or in any."""
        found = (one for one in self.containers.values())
        return sorted(
            one["Name"][1:] for one in found if not states or one["State"]["Status"] in states
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who hung up is what a test is about."""


class Handler(BaseHTTPRequestHandler):
    """The calls that there are."""

    server: EngineOfTests
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if path != "/version":
            assert path.startswith(self.server.prefix), path
            path = path.removeprefix(self.server.prefix)
        what = f"{self.command} {path}"
        self.server.calls.append(what)
        self.server.before(what)
        for pattern, refusals in self.server.refusals.items():
            if re.fullmatch(pattern, what) and refusals:
                status, message = refusals.pop(0)
                if status == 0:  # hang
                    self.server.closing.wait(20)
                    self.close_connection = True
                    return
                self.send(status, {"message": message})
                return
        self.send(*self.served(path, query, body))

    def served(self, path: str, query: dict[str, str], body: Json) -> tuple[int, Any]:
        found = self.server.containers
        match self.command, path.strip("/").split("/"):
            case "GET", ["version"]:
                return 200, self.server.versions
            case "GET", ["containers", "json"]:
                wanted = json.loads(query["filters"])["label"]
                return 200, [listed(one) for one in list(found.values()) if has(one, wanted)]
            case "POST", ["containers", "create"]:
                return self.created(query["name"], body)
            case "GET", ["images", *name, "json"]:
                if (image := self.server.images.get("/".join(name))) is None:
                    return 404, {"message": "No such image"}
                return 200, {"Id": image}
            case _, ["networks", network, "connect"]:
                found[body["Container"]]["NetworkSettings"]["Networks"][network] = body[
                    "EndpointConfig"
                ]
                return 200, None
            case method, ["containers", key, *action]:
                if (one := found.get(key) or named(found, key)) is None:
                    return 404, {"message": f"No such container: {key}"}
                return self.done(one, method, action)
        return 404, {"message": "page not found"}

    def created(self, name: str, body: Json) -> tuple[int, Any]:
        if name in self.server.names():
            return 409, {"message": f'Conflict. The container name "/{name}" is already in use'}
        container = uuid.uuid4().hex * 2
        given = body.pop("NetworkingConfig")["EndpointsConfig"]
        assert len(given) == 1  # before API 1.44 there may be no more
        self.server.containers[container] = {
            "Id": container, "Name": f"/{name}", "Image": IMAGE,
            "Created": len(self.server.calls) + 1000, "State": {"Status": "created"},
            "HostConfig": body.pop("HostConfig"),
            "NetworkSettings": {"Networks": given},
            "Config": {"Hostname": container[:12]} | body,
        }  # fmt: skip
        return 201, {"Id": container}

    def done(self, one: Json, method: str, action: list[str]) -> tuple[int, Any]:
        match method, action:
            case "GET", ["json"]:
                return 200, one
            case "POST", ["start"]:
                one["State"] = {"Status": "running", "Health": {"Status": "starting"}}
                return 204, None
            case "POST", ["stop"]:
                was, one["State"] = one["State"]["Status"], {"Status": "exited"}
                return (204 if was == "running" else 304), None
            case "DELETE", []:
                del self.server.containers[one["Id"]]
                return 204, None
        return 404, {"message": "page not found"}

    def send(self, status: int, document: Any) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        if isinstance(document, list):  # the engine sends long answers in chunks
            self.send_header("Transfer-Encoding", "chunked")
            middle = len(body) // 2
            chunks = (body[:middle], body[middle:], b"")
            body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks)
        elif status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "unix"


def listed(one: Json) -> Json:
    return {
        "Id": one["Id"], "Names": [one["Name"]], "Labels": one["Config"]["Labels"],
        "State": one["State"]["Status"], "Created": one["Created"],
    }  # fmt: skip


def has(one: Json, wanted: list[str]) -> bool:
    labels = one["Config"]["Labels"]
    return all(labels.get(key) == value for key, value in (each.split("=", 1) for each in wanted))


def named(found: dict[str, Json], key: str) -> Json | None:
    return next(
        (one for one in found.values() if one["Id"][:12] == key or one["Name"] == key), None
    )


def silent_socket(path: Path) -> socket.socket:
    """Listen at a path, and never answer."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()
    return listening

"""What the admin address answers: pure but for the backends that it changes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lb.backend.health import Mode
from lb.pick import Strategy
from lb.proxy import Proxy
from lb.wire.problem import Problem
from lb.wire.request import Request


@dataclass(frozen=True)
class Answer:
    """A successful answer."""

    content_type: str
    body: bytes


class StrategyChange(BaseModel):
    """Body of `PUT /lb/strategy`."""

    model_config = ConfigDict(extra="forbid")
    strategy: Strategy


class BackendChange(BaseModel):
    """Body of `PUT /lb/backends/{id}`."""

    model_config = ConfigDict(extra="forbid")
    state: Mode


Model = TypeVar("Model", bound=BaseModel)


class Routes:
    """Answers admin requests.  `metrics` returns the exposition in Prometheus' text format."""

    def __init__(
        self, proxy: Proxy, *, status: Callable[[], dict[str, Any]], metrics: Callable[[], Answer]
    ) -> None:
        self._proxy = proxy
        self._status = status
        self._metrics = metrics

    def answer(self, request: Request, body: bytes) -> Answer:
        """Return the answer, or raise the Problem to answer with."""
        path = request.target.partition(b"?")[0].decode()
        if path.startswith("/lb/backends/"):
            return self._put_backend(request, path.removeprefix("/lb/backends/"), body)
        if path == "/lb/strategy":
            _only(request, "GET", "HEAD", "PUT")
            if request.method == b"PUT":
                self._proxy.backends.strategy = _parse(StrategyChange, body).strategy
            return _json({"strategy": self._proxy.backends.strategy})
        reads = {"/health": self._health, "/lb/status": self._get_status, "/metrics": self._metrics}
        if path not in reads:
            raise Problem(
                404, "not-found", "There is nothing at this address",
                "Known are /health, /lb/status, /lb/strategy, /lb/backends/{id} and /metrics.",
            )  # fmt: skip
        _only(request, "GET", "HEAD")
        return reads[path]()

    def _health(self) -> Answer:
        if self._proxy.draining:
            raise Problem(
                503, "draining", "The balancer is shutting down", "Use another one.",
                retry_after_s=1,
            )  # fmt: skip
        return _json({"status": "ok", "backends_ready": len(self._proxy.backends.ready)})

    def _get_status(self) -> Answer:
        return _json(self._status())

    def _put_backend(self, request: Request, name: str, body: bytes) -> Answer:
        _only(request, "PUT")
        backend = self._proxy.backends.by_id.get(name)
        if backend is None:
            raise Problem(
                404, "unknown-backend", "There is no such backend",
                "Take an id from /lb/status: the backend's host:port.",
            )  # fmt: skip
        backend.set_mode(_parse(BackendChange, body).state)
        return _json({"id": backend.id, "state": backend.state})


def _only(request: Request, *methods: str) -> None:
    if request.method.decode() not in methods:
        raise Problem(
            405, "method-not-allowed", "The method does not fit this address",
            f"Use {' or '.join(methods)}.",
        )  # fmt: skip


def _parse(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(str(part) for part in first["loc"]) or "the body"
        raise Problem(
            422, "validation-failed", "The body does not fit what this call takes",
            f"{place}: {first['msg']}.",
        ) from error  # fmt: skip


def _json(document: dict[str, Any]) -> Answer:
    return Answer("application/json", json.dumps(document, indent=2).encode() + b"\n")

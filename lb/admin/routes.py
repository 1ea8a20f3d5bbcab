"""What the admin address answers."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from prometheus_client import exposition
from pydantic import BaseModel, ValidationError

from lb.admin.decisions import BackendChange, StrategyChange
from lb.admin.fleet import Fleet
from lb.admin.overview import Overview
from lb.admin.totals import text
from lb.operator_paths import bears
from lb.wire.problem import Problem


@dataclass(frozen=True)
class Answer:
    """A successful answer."""

    content_type: str
    body: bytes


Model = TypeVar("Model", bound=BaseModel)


class Routes:
    """Answers admin requests on behalf of all processes.

    `overview` returns what the parent knows by itself: whether it drains, restarts, reloads.
    `token`, if not empty, is asked for everywhere but at /health, which probes must reach.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        overview: Callable[[], Overview],
        token: str,
    ) -> None:
        self._fleet = fleet
        self._overview = overview
        self._token = token.encode()

    async def answer(self, method: str, path: str, *, authorization: bytes, body: bytes) -> Answer:
        """Return the answer, or raise the Problem to answer with."""
        if path == "/health":
            _only(method, "GET", "HEAD")
            return await self._health()
        self._authorise(authorization)
        if path == "/lb/strategy":
            return await self._strategy(method, body)
        if path.startswith("/lb/backends/"):
            return await self._put_backend(method, path.removeprefix("/lb/backends/"), body)
        if path.startswith("/lb/requests/"):
            return await self._get_request(method, path.removeprefix("/lb/requests/"))
        reads = {"/lb/status": self._get_status, "/metrics": self._get_metrics}
        if path not in reads:
            raise Problem(
                404, "not-found", "There is nothing at this address",
                "Known are /health, /lb/status, /lb/strategy, /lb/backends/{id}, "
                "/lb/requests/{request id} and /metrics.",
            )  # fmt: skip
        _only(method, "GET", "HEAD")
        return await reads[path]()

    def _authorise(self, authorization: bytes) -> None:
        if self._token and not bears(authorization, self._token):
            raise Problem(
                401, "unauthorized", "A token is needed",
                "Send Authorization: Bearer with the value of MILLRACE_LB_ADMIN_TOKEN.",
            )  # fmt: skip

    async def _health(self) -> Answer:
        ready = await self._fleet.ready()
        if ready is None or self._overview().draining:
            raise Problem(
                503, "draining", "The balancer does not take requests",
                "It is shutting down, or its processes are being started. Use another one.",
                retry_after_s=1,
            )  # fmt: skip
        return _json({"status": "ok", "backends_ready": ready})

    async def _get_status(self) -> Answer:
        return _json(await self._fleet.status() | asdict(self._overview()))

    async def _get_metrics(self) -> Answer:
        overview = self._overview()
        metrics = [*await self._fleet.metrics(), *overview.metrics()]
        return Answer(exposition.CONTENT_TYPE_LATEST, text(metrics))

    async def _strategy(self, method: str, body: bytes) -> Answer:
        _only(method, "GET", "HEAD", "PUT")
        if method == "PUT":
            self._fleet.decisions.strategy = _parse(StrategyChange, body).strategy
            await self._fleet.decide()
        return _json({"strategy": (await self._fleet.status()).get("strategy")})

    async def _put_backend(self, method: str, name: str, body: bytes) -> Answer:
        _only(method, "PUT")
        await self._backend(name)
        self._fleet.decisions.add(name, _parse(BackendChange, body))
        await self._fleet.decide()
        backend = await self._backend(name)
        return _json({key: backend[key] for key in ("id", "state", "weight")})

    async def _backend(self, name: str) -> dict[str, Any]:
        for backend in (await self._fleet.status()).get("backends", ()):
            if backend["id"] == name:
                found: dict[str, Any] = backend
                return found
        raise Problem(
            404, "unknown-backend", "There is no such backend",
            "Take an id from /lb/status: the backend's host:port.",
        )  # fmt: skip

    async def _get_request(self, method: str, name: str) -> Answer:
        _only(method, "GET", "HEAD")
        records = await self._fleet.requests(name)
        if not records:
            raise Problem(
                404, "unknown-request", "No such request is remembered",
                "Each process remembers its last requests by their X-Request-ID.",
            )  # fmt: skip
        return _json({"request_id": name, "requests": records})


def _only(method: str, *methods: str) -> None:
    if method not in methods:
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

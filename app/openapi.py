"""The OpenAPI 3.1 document, from the declarations and models that route and validate."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.endpoints import Endpoint, QueryParameter
from app.models import ProblemDocument
from app.problems import MEDIA_TYPE, ProblemType

Mode = Literal["validation", "serialization"]

REF = "#/components/schemas/"

_DESCRIPTION = """Hashing and exact SQL queries in front of PostgreSQL.

Bodies are JSON. Every error is a problem document (RFC 9457) with a stable `type`. Every response
carries `X-Request-ID`: the one you sent, or a new one."""


def openapi_document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """Return the document, as JSON values, of the given calls."""
    endpoints = list(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(call.tag for call in endpoints)],
        "paths": paths,
        "components": {"schemas": _schemas(endpoints)},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.view.__name__,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    if endpoint.parameters:
        operation["parameters"] = [
            {
                "name": parameter.name,
                "in": "path",
                "required": True,
                "description": parameter.description,
                "schema": {"type": "string", "pattern": f"^(?:{parameter.pattern})$"},
            }
            for parameter in endpoint.parameters
        ]
    if endpoint.query:
        operation.setdefault("parameters", []).extend(map(_query_parameter, endpoint.query))
    if endpoint.reads:
        content: dict[str, Any] = {}
        for media_type, model in endpoint.reads.items():
            # no schema means bytes of any kind (OpenAPI 3.1, section 4.8.14.3)
            content |= {media_type: {}} if model is None else _content(media_type, model)
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.request is not None:
        content = _content("application/json", endpoint.request)
        if endpoint.example is not None:
            content["application/json"]["example"] = dict(endpoint.example)
        operation["requestBody"] = {"required": True, "content": content}
    responses: dict[str, dict[str, Any]] = {
        str(status): _answer(model) for status, model in endpoint.responses.items()
    }
    for status, kinds in groupby(endpoint.problems, key=lambda kind: kind.status):
        # a status can carry a model too: /health/ready answers 503 with its checks
        response = responses.setdefault(str(status), {"description": ""})
        response.setdefault("content", {})
        response["description"] = " ".join(filter(None, [response["description"], _told(kinds)]))
        response["content"] |= _content(MEDIA_TYPE, ProblemDocument)
    operation["responses"] = dict(sorted(responses.items()))
    return operation


def _query_parameter(parameter: QueryParameter) -> dict[str, Any]:
    one: dict[str, Any] = {"type": parameter.type}
    if parameter.values:
        one["enum"] = list(parameter.values)
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.description,
        "schema": {"type": "array", "items": one} if parameter.repeated else one,
    }


def _answer(model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": "Done; there is nothing to say."}
    return {
        "description": (model.__doc__ or "").partition("\n")[0],
        "content": _content("application/json", model),
    }


def _told(kinds: Iterable[ProblemType]) -> str:
    return " ".join(f"`{kind.uri}`: {kind.title}." for kind in kinds)


def _content(media_type: str, model: type[BaseModel]) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": REF + model.__name__}}}


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    models: dict[tuple[type[BaseModel], Mode], None] = {(ProblemDocument, "serialization"): None}
    for endpoint in endpoints:
        if endpoint.request is not None:
            models[endpoint.request, "validation"] = None
        for model in filter(None, endpoint.reads.values()):
            models[model, "validation"] = None
        for model in filter(None, endpoint.responses.values()):
            models[model, "serialization"] = None
    _, definitions = models_json_schema(list(models), ref_template=REF + "{model}")
    schemas: dict[str, Any] = definitions["$defs"]
    return dict(sorted(schemas.items()))

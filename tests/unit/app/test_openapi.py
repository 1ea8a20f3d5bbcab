"""The OpenAPI document tells what the replica does."""

import json
import re
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from app.endpoints import Endpoint, Endpoints, PathParameter, register
from app.main import ENDPOINTS
from app.models import RequestModel, ResponseModel
from app.openapi import openapi_document
from app.problem_types import DATABASE_BUSY, DATABASE_UNAVAILABLE


class Ask(RequestModel):
    """A question."""

    text: str = "hello"


class Answer(ResponseModel):
    """An answer."""

    text: str


endpoints = Endpoints("talk", lane="status")


@endpoints.endpoint(
    "POST",
    "/talk",
    request=Ask,
    response=Answer,
    problems=[DATABASE_BUSY, DATABASE_UNAVAILABLE],
    example={"text": "hi"},
)
def talk(body: Ask) -> Answer:
    """Talk to it.

    It talks back.
    """
    return Answer(text=body.text.upper())


@endpoints.endpoint(
    "DELETE",
    "/talk/{name}",
    response=None,
    parameters=[PathParameter("name", "[a-z]{1,5}", "Who talks.")],
)
def hush(name: str) -> Response:
    """Silence somebody."""
    return Response(status=204, headers={"X-Name": name})


@pytest.fixture
def document(client: FlaskClient) -> Any:
    response = client.get("/openapi.json")
    assert response.content_type == "application/json"
    return response.json


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {value["$ref"]} if "$ref" in value else references(list(value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_it_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Millrace"


def test_every_reference_resolves(document: Any) -> None:
    found = references(document)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert found
    assert found <= known


def test_it_has_every_route_of_the_api(app: Flask, document: Any) -> None:
    routes = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/v1/", "/health/"))
    }
    described = {(m.upper(), path) for path, calls in document["paths"].items() for m in calls}
    assert described == routes


@pytest.mark.parametrize(
    "endpoint", [call for call in ENDPOINTS if call.request], ids=lambda call: call.path
)
def test_every_example_fits_its_model(endpoint: Endpoint) -> None:
    assert endpoint.example is not None
    assert endpoint.request is not None
    endpoint.request.model_validate_json(json.dumps(endpoint.example))


def test_every_field_of_a_request_is_described(document: Any) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.request is not None:
            schema = document["components"]["schemas"][endpoint.request.__name__]
            assert schema["additionalProperties"] is False
            assert all(field["description"] for field in schema["properties"].values())


def test_a_declaration_routes_validates_and_documents(app: Flask) -> None:
    register(app, endpoints)
    client = app.test_client()
    assert client.post("/talk", json={"text": "hi"}).json == {"text": "HI"}
    assert client.post("/talk", json={"txt": "hi"}).status_code == 422
    document = openapi_document(endpoints, "1.0")
    operation = document["paths"]["/talk"]["post"]
    assert (operation["summary"], operation["description"]) == ("Talk to it", "It talks back.")
    assert list(operation["responses"]) == ["200", "400", "413", "415", "422", "500", "503"]
    unavailable = operation["responses"]["503"]["description"]
    assert "/problems/database-busy" in unavailable
    assert "/problems/database-unavailable" in unavailable
    assert operation["requestBody"]["content"]["application/json"]["example"] == {"text": "hi"}


def test_a_part_of_a_path_reaches_the_view_if_it_looks_right(app: Flask) -> None:
    register(app, endpoints)
    client = app.test_client()
    assert client.delete("/talk/ann").headers["X-Name"] == "ann"
    for wrong in ("ANN", "annabel", "a/n", "%2e%2e"):
        response = client.delete(f"/talk/{wrong}")
        assert (response.status_code, response.content_type) == (404, "application/problem+json")
    operation = openapi_document(endpoints, "1.0")["paths"]["/talk/{name}"]["delete"]
    (parameter,) = operation["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("name", "path", True)
    assert parameter["schema"] == {"type": "string", "pattern": "^(?:[a-z]{1,5})$"}
    assert list(operation["responses"]) == ["204", "404", "500"]
    assert "content" not in operation["responses"]["204"]

"""What `/docs` shows, taken from the OpenAPI document."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from app.openapi import REF


@dataclass(frozen=True)
class Field:
    """A row of a model's table; `kind` is its type in words, `link` the model within it."""

    name: str
    kind: str
    link: str | None
    required: bool
    default: str | None
    description: str


@dataclass(frozen=True)
class Model:
    """A body."""

    name: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Call:
    """One call of the API; `answers` are (status, what it means, name of the body's model).

    The name is empty for an answer without a body.  `upload` is the media type of a body that is
    no JSON document, empty when there is none.
    """

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    request: Model | None
    example: Any
    upload: str
    answers: tuple[tuple[str, str, str], ...]

    def curl(self, address: str) -> str:
        """Return a command line that makes this call at `address` (no slash at its end)."""
        method = f" -X {self.method}" if self.method in ("DELETE", "PATCH") else ""
        command = f"curl -sS {shlex.quote(address + self.path)}{method}"
        if self.upload:
            sends = f"-H 'Content-Type: {self.upload}' --data-binary @FILE"
            return f"{command} \\\n  {sends}"
        if self.example is None:
            return command
        body = shlex.quote(json.dumps(self.example, ensure_ascii=False))
        return f"{command} \\\n  -H 'Content-Type: application/json' \\\n  -d {body}"


def prose(text: str) -> Markup:
    """Return text as HTML: paragraphs at empty lines, code between backticks, problems linked."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return Markup("").join(Markup("<p>{}</p>").format(phrase(part)) for part in paragraphs)


def phrase(text: str) -> Markup:
    """Return one line of text as HTML: code between backticks, problems linked."""
    html = Markup("")
    for index, part in enumerate(text.split("`")):
        if index % 2 == 0:
            html += escape(part)
            continue
        code = Markup("<code>{}</code>").format(part)
        slug = part.removeprefix("/problems/")
        html += code if slug == part else Markup('<a href="#{}">{}</a>').format(slug, code)
    return html


def models(document: Mapping[str, Any]) -> dict[str, Model]:
    """Return every body of the API, by name."""
    schemas = document["components"]["schemas"]
    return {name: _model(name, schema) for name, schema in schemas.items()}


def calls(document: Mapping[str, Any]) -> dict[str, list[Call]]:
    """Return every call of the API by tag, in the document's order."""
    bodies = models(document)
    found: dict[str, list[Call]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {})
            upload = "" if body else next(iter(content), "")
            found[operation["tags"][0]].append(
                Call(
                    anchor=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation["summary"],
                    description=operation.get("description", ""),
                    request=bodies[_name(body["schema"])] if body else None,
                    example=body.get("example"),
                    upload=upload,
                    answers=tuple(
                        (status, answer["description"], _body_of(answer))
                        for status, answer in operation["responses"].items()
                    ),
                )
            )
    return found


def _body_of(answer: Mapping[str, Any]) -> str:
    contents = list(answer.get("content", {}).values())
    return _name(contents[0]["schema"]) if contents else ""


def _model(name: str, schema: Mapping[str, Any]) -> Model:
    required = set(schema.get("required", ()))
    fields = tuple(
        Field(
            name=field,
            kind=_kind(of),
            link=_link(of),
            required=field in required,
            default=json.dumps(of["default"], ensure_ascii=False) if "default" in of else None,
            description=of.get("description", ""),
        )
        for field, of in schema.get("properties", {}).items()
    )
    return Model(name, schema.get("description", ""), fields)


def _kind(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in words: `integer`, `array of string`, `"a" | "b"`."""
    if "$ref" in schema:
        return _name(schema)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any JSON value"))


def _link(schema: Any) -> str | None:
    """Return the name of the first model within a schema."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            return _name(schema)
        return next(filter(None, map(_link, schema.values())), None)
    if isinstance(schema, list):
        return next(filter(None, map(_link, schema)), None)
    return None


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).removeprefix(REF)

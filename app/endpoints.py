"""Calls of the API, declared once: the declaration routes, validates, and documents."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from flask import Flask, Response
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from app.bodies import json_response, parse_body
from app.lanes.lane import LaneName
from app.problem_types import (
    BODY_TOO_LARGE,
    INTERNAL_ERROR,
    MALFORMED_JSON,
    NOT_FOUND,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
)
from app.problems import Problem, ProblemType

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
View = Callable[..., BaseModel | Response]
ViewT = TypeVar("ViewT", bound=View)

_BODY_PROBLEMS = (MALFORMED_JSON, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED)


@dataclass(frozen=True)
class PathParameter:
    """A part of a path, `{name}` in it; a value that `pattern` does not match whole answers 404."""

    name: str
    pattern: str
    description: str


@dataclass(frozen=True)
class QueryParameter:
    """A parameter in the URL after `?`; the view reads it.

    `values` are those it may have, none: any of its type.
    """

    name: str
    description: str
    values: tuple[str, ...] = ()
    repeated: bool = False
    type: Literal["string", "integer"] = "string"


@dataclass(frozen=True)
class Endpoint:
    """One call: method, path, the models of its bodies, and what it can answer.

    `path` has `{name}` for each of `parameters`.  `responses` maps each status without a problem
    to its model, None for an answer without a body.  `example` is a request body that
    can be sent as it is; the documentation shows it.  A view with a `request` model gets the
    parsed body as its first argument, and path parameters by name; it returns a model, or a whole
    Response.  A body in one of the media types of `reads` is read by the view itself; their models
    are of one item, None for bytes of any kind.  `lane`: with which others it shares a limit.
    """

    method: Method
    path: str
    parameters: tuple[PathParameter, ...]
    tag: str
    summary: str
    description: str
    request: type[BaseModel] | None
    responses: Mapping[int, type[BaseModel] | None]
    problems: tuple[ProblemType, ...]
    example: Mapping[str, Any] | None
    view: View
    lane: LaneName
    reads: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    query: tuple[QueryParameter, ...] = ()

    def __call__(self, **values: str) -> ResponseReturnValue:
        """Answer the current request; `values` are the path's parameters."""
        for parameter in self.parameters:
            if not re.fullmatch(parameter.pattern, values[parameter.name]):
                raise Problem(NOT_FOUND, NOT_FOUND.meaning)
        bodies = () if self.request is None else (parse_body(self.request),)
        answer = self.view(*bodies, **values)
        return answer if isinstance(answer, Response) else json_response(answer)

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return self.path.replace("{", "<").replace("}", ">")


class Endpoints:
    """The calls of one subject, collected where their views are defined.

    `lane` is that of the calls that name none themselves.
    """

    def __init__(self, tag: str, lane: LaneName) -> None:
        self.tag = tag
        self._lane = lane
        self._endpoints: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        """Iterate over the calls, in the order of their definition."""
        return iter(self._endpoints)

    def endpoint(
        self,
        method: Method,
        path: str,
        *,
        response: type[BaseModel] | None,
        request: type[BaseModel] | None = None,
        parameters: Sequence[PathParameter] = (),
        also: Mapping[int, type[BaseModel] | None] | None = None,
        problems: Sequence[ProblemType] = (),
        example: Mapping[str, Any] | None = None,
        reads: Mapping[str, type[BaseModel] | None] | None = None,
        query: Sequence[QueryParameter] = (),
        status: int = 200,
        lane: LaneName | None = None,
    ) -> Callable[[ViewT], ViewT]:
        """Declare the decorated view as a call; its docstring is the documentation.

        `response` None: 204, without a body; else it comes with `status`.  `also` are statuses
        besides, with their models; `problems` those beyond what every call, and every call with a
        body or with a parameter, can answer.
        """

        def declare(view: ViewT) -> ViewT:
            summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n\n")
            usual = (*(_BODY_PROBLEMS if request else ()), INTERNAL_ERROR)
            if parameters:
                usual = (*usual, NOT_FOUND)
            self._endpoints.append(
                Endpoint(
                    method=method,
                    path=path,
                    parameters=tuple(parameters),
                    tag=self.tag,
                    summary=summary.rstrip("."),
                    description=description,
                    request=request,
                    responses={status if response else 204: response, **(also or {})},
                    problems=tuple(
                        sorted({*usual, *problems}, key=lambda kind: (kind.status, kind.slug))
                    ),
                    example=example,
                    view=view,
                    lane=lane or self._lane,
                    reads=dict(reads or {}),
                    query=tuple(query),
                )
            )
            return view

        return declare


def register(app: Flask, endpoints: Iterable[Endpoint]) -> None:
    """Route the calls on `app`."""
    for endpoint in endpoints:
        name = f"{endpoint.method} {endpoint.path}"
        app.add_url_rule(endpoint.rule, name, endpoint, methods=[endpoint.method])

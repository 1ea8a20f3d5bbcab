"""The API's description: for programs at `/openapi.json`, for people at `/docs`."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

from flask import Flask, Response, render_template, request

from app.docs_page import calls, models, phrase, prose
from app.endpoints import Endpoint
from app.openapi import openapi_document
from app.problem_types import PROBLEM_TYPES

# The page loads nothing: no script, no font, nothing from elsewhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def register_docs(app: Flask, endpoints: Iterable[Endpoint]) -> None:
    """Serve the description of `endpoints` on `app`."""
    endpoints = tuple(endpoints)

    @cache  # made when first asked for: a replica starts faster
    def document() -> dict[str, Any]:
        return openapi_document(endpoints, version("millrace"))

    app.jinja_env.filters.update(phrase=phrase, prose=prose)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(json.dumps(document()), content_type="application/json")

    @app.get("/docs")
    def docs() -> Response:
        html = render_template(
            "docs.html",
            address=request.host_url.rstrip("/"),
            info=document()["info"],
            calls=calls(document()),
            models=models(document()),
            problems=PROBLEM_TYPES,
        )
        response = Response(html, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    for kind in PROBLEM_TYPES:  # the `type` of a problem leads to its explanation
        _redirect(app, kind.uri, f"/docs#{kind.slug}")


def _redirect(app: Flask, path: str, target: str) -> None:
    def redirect() -> Response:
        return Response(status=303, headers={"Location": target})

    app.add_url_rule(path, f"GET {path}", redirect, methods=["GET"])

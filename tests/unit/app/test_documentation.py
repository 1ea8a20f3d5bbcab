"""The documentation names every call, problem, setting and metric."""

import re
import shlex
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from pydantic_settings import BaseSettings

from app.cache.settings import CacheSettings
from app.digests.settings import DigestSettings
from app.endpoints import Endpoint
from app.hashes.settings import HashSettings
from app.lanes.settings import LaneSettings
from app.main import ENDPOINTS
from app.passwords.settings import PasswordSettings
from app.problem_types import PROBLEM_TYPES, UNEXPECTED_STATUS
from app.problems import ProblemType
from app.queries.settings import QuerySettings
from app.settings import AppSettings

DOCS = Path(__file__).parents[3] / "docs"
KINDS = (
    AppSettings, LaneSettings, QuerySettings, CacheSettings, HashSettings, DigestSettings,
    PasswordSettings,
)  # fmt: skip
SETTINGS = [(kind, name) for kind in KINDS for name in kind.model_fields]


def rows(name: str, page: str = "replica.md") -> list[str]:
    """Return what the tables of a page describe, of those names."""
    return re.findall(rf"^\| `({name})`", (DOCS / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=[name for _, name in SETTINGS])
def test_every_setting_is_documented_with_its_default(kind: type[BaseSettings], name: str) -> None:
    row = f"| `MILLRACE_{name.upper()}` | `{kind.model_fields[name].default}` |"
    assert row in (DOCS / "replica.md").read_text()


def test_no_setting_is_documented_that_is_not_there() -> None:
    documented = rows(r"MILLRACE_\w+")
    assert sorted(documented) == sorted(f"MILLRACE_{name.upper()}" for _, name in SETTINGS)


@pytest.mark.parametrize("kind", PROBLEM_TYPES, ids=[kind.slug for kind in PROBLEM_TYPES])
def test_every_problem_is_documented(kind: ProblemType, client: FlaskClient) -> None:
    status = "4xx, 5xx" if kind == UNEXPECTED_STATUS else kind.status
    assert f"| `{kind.uri}` | {status} | {kind.title}." in (DOCS / "api.md").read_text()
    assert f'id="{kind.slug}"' in client.get("/docs").text


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=[call.path for call in ENDPOINTS])
def test_every_call_is_documented(endpoint: Endpoint) -> None:
    assert f"`{endpoint.method} {endpoint.path}`" in (DOCS / "api.md").read_text()


def test_every_metric_is_documented(client: FlaskClient) -> None:
    names = set(re.findall(r"# TYPE (\S+) ", client.get("/metrics").text))
    documented = rows(r"millrace_(?:app|events)_\w+", "monitoring.md")
    assert sorted(name for name in names if not name.endswith("_created")) == sorted(documented)


def test_the_type_of_a_problem_leads_to_its_explanation(client: FlaskClient) -> None:
    for kind in PROBLEM_TYPES:
        response = client.get(kind.uri)
        assert response.status_code == 303
        assert response.headers["Location"] == f"/docs#{kind.slug}"


def test_the_page_loads_nothing_from_anywhere(client: FlaskClient) -> None:
    response = client.get("/docs")
    assert response.content_type == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "<script" not in response.text
    links = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert links
    assert all(link.startswith(("#", "/openapi.json")) for link in links)


def test_every_link_of_the_page_leads_somewhere(client: FlaskClient) -> None:
    text = client.get("/docs").text
    targets = set(re.findall(r'href="#([^"]*)"', text))
    assert targets <= set(re.findall(r'id="([^"]*)"', text))


def test_the_page_shows_every_call_with_a_command_that_fits_its_address(app: Flask) -> None:
    text = app.test_client().get("/docs", headers={"Host": "api.example:8080"}).text
    for endpoint in ENDPOINTS:
        address = shlex.quote(f"http://api.example:8080{endpoint.path}")
        assert f"curl -sS {escape(address)}" in text
    assert "&#39;{&#34;algorithm&#34;: &#34;sha256&#34;" in text


def test_a_host_header_cannot_inject_html(app: Flask) -> None:
    text = app.test_client().get("/docs", headers={"Host": "<script>"}).text
    assert "<script" not in text

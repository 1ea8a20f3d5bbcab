"""Metrics of one process; several are tested with a real server."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from app.queries.metrics import QueryMetrics
from app.queries.request import Timings
from app.services import Services
from db.database import DatabaseStatus

COUNT = re.compile(r"millrace_app_request_duration_seconds_count\{(.*)\} (\S+)")


def counts(client: FlaskClient) -> dict[str, float]:
    """Return the number of requests by labels."""
    text = client.get("/metrics").text
    return {labels: float(value) for labels, value in COUNT.findall(text)}


def test_requests_are_counted_by_route_method_and_status(client: FlaskClient) -> None:
    for _ in range(3):
        client.post("/v1/hash", json={"data": "a"})
    client.post("/v1/hash", json={})
    found = counts(client)
    assert found['method="POST",route="/v1/hash",status="200"'] == 3
    assert found['method="POST",route="/v1/hash",status="422"'] == 1


def test_labels_stay_bounded_whatever_clients_invent(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/thing/<name>", "thing", lambda name: name)
    for name in ("a", "b", "c"):
        client.get(f"/thing/{name}")
        client.get(f"/nothing/{name}")
        client.open("/v1/hash", method=f"X{name}")
    assert counts(client) == {
        'method="GET",route="/thing/<name>",status="200"': 3,
        'method="GET",route="unmatched",status="404"': 3,
        'method="other",route="unmatched",status="405"': 3,
    }


@pytest.mark.parametrize(("state", "value"), [("closed", 0), ("half_open", 1), ("open", 2)])
def test_the_breakers_state_is_a_number(
    services: Services, client: FlaskClient, state: str, value: int
) -> None:
    services.metrics.breaker_changed("app-own", state)  # type: ignore[arg-type]
    text = client.get("/metrics").text
    assert f'millrace_app_breaker_state{{pool="app-own"}} {value}.0' in text
    assert 'millrace_app_breaker_state{pool="app"} 0.0' in text
    assert f'millrace_app_breaker_changes_total{{pool="app-own",to="{state}"}} 1.0' in text


def test_the_pool_is_shown(services: Services, client: FlaskClient) -> None:
    status = DatabaseStatus("app", max_size=10, size=7, in_use=3, waiting=2, breaker="closed")
    services.metrics.pool_seen(status)
    text = client.get("/metrics").text
    assert 'millrace_app_pool_connections{kind="open",pool="app"} 7.0' in text
    assert 'millrace_app_pool_connections{kind="in_use",pool="app"} 3.0' in text
    assert 'millrace_app_pool_connections{kind="max",pool="app"} 10.0' in text
    assert 'millrace_app_pool_waiting{pool="app"} 2.0' in text


def test_every_metric_is_ours_by_name(client: FlaskClient) -> None:
    client.get("/health/live")
    names = re.findall(r"# TYPE (\S+)", client.get("/metrics").text)
    assert names
    assert all(name.startswith(("millrace_app_", "millrace_events_")) for name in names)


def test_the_stages_of_a_query_are_told_with_the_wait_for_postgresql() -> None:
    registry = CollectorRegistry()
    QueryMetrics(registry).answered("direct", Timings(plan=1.0, execute=6.0, postgresql=5.0))
    name = "millrace_app_query_stage_seconds_sum"
    stages = {
        stage: registry.get_sample_value(name, {"stage": stage})
        for stage in ("plan", "execute", "postgresql")
    }
    assert stages == {"plan": 0.001, "execute": 0.006, "postgresql": 0.005}

"""A change is one line of the log and one count; a breaker's and a mode's are told by name."""

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from app.events import EVENTS, Events
from app.logs import configure_structlog, formatter
from app.services import Services
from db.errors import DatabaseUnavailable


def test_an_event_is_one_line_and_one_count(log: list[Any]) -> None:
    registry = CollectorRegistry()
    Events(registry).emit("cache_store_changed", "Redis is away", old="redis", new="database")
    (line,) = log
    assert (line["_event"], line["cause"]) == ("cache_store_changed", "Redis is away")
    assert (line["old"], line["new"], line["log_level"]) == ("redis", "database", "warning")
    counts = {
        name: registry.get_sample_value("millrace_events_total", {"event": name}) for name in EVENTS
    }
    assert counts.pop("cache_store_changed") == 1
    assert set(counts.values()) == {0}


def test_its_line_has_its_name_as_event(caplog: pytest.LogCaptureFixture) -> None:
    configure_structlog()
    with caplog.at_level(logging.INFO):
        Events(CollectorRegistry()).emit("mode_off", "was: away", mode="no_redis")
    (record,) = caplog.records
    line = json.loads(formatter("json").format(record))
    assert (line["event"], line["message"]) == ("mode_off", "mode off")
    assert (line["cause"], line["mode"], line["level"]) == ("was: away", "no_redis", "info")


def test_each_breaker_that_opens_is_one_event_with_its_cause(
    services: Services, client: FlaskClient, log: list[Any]
) -> None:
    for database in (services.database, services.own_database):
        for _ in range(5):
            with pytest.raises(DatabaseUnavailable), database._breaker.guard():
                raise DatabaseUnavailable("no route to host", 1.0)
    opened = [line for line in log if line.get("_event") == "breaker_opened"]
    assert [line["pool"] for line in opened] == ["app", "app-own"]
    assert {line["cause"] for line in opened} == {"no route to host"}
    text = client.get("/metrics").text
    assert 'millrace_events_total{event="breaker_opened"} 2.0' in text
    for pool in ("app", "app-own"):
        assert f'millrace_app_breaker_state{{pool="{pool}"}} 2.0' in text

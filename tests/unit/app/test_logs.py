"""What the log's lines look like."""

import json
import logging
import sys
from typing import Any

import pytest

from app.logs import formatter, logging_config
from app.settings import LogFormat


def record(message: str, *args: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("some.library", logging.WARNING, "", 1, message, args, None)
    made.__dict__.update(more)
    return made


def test_a_librarys_message_becomes_one_json_object_a_line() -> None:
    line = formatter("json").format(record("%s of\n%d", "two", 3))
    assert "\n" not in line
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"level": "warning", "logger": "some.library", "message": "two of\n3"}


def test_an_error_brings_its_traceback_along_as_data() -> None:
    try:
        raise ZeroDivisionError("no")
    except ZeroDivisionError:
        line = formatter("json").format(record("failed", exc_info=sys.exc_info()))
    assert "\n" not in line
    [error] = json.loads(line)["exception"]
    assert (error["exc_type"], error["exc_value"]) == ("ZeroDivisionError", "no")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_tells_no_values_of_variables(log_format: LogFormat) -> None:
    password = "correct horse"
    try:
        raise ZeroDivisionError(len(password))
    except ZeroDivisionError:
        line = formatter(log_format).format(record("failed", exc_info=sys.exc_info()))
    assert "ZeroDivisionError" in line
    assert password not in line


def test_for_people_it_is_text() -> None:
    line = formatter("console").format(record("hello"))
    assert "hello" in line
    assert not line.startswith("{")


def test_gunicorns_messages_go_the_same_way() -> None:
    config = logging_config("warning", "json")
    assert config["root"] == {"handlers": ["stdout"], "level": "WARNING"}
    assert config["loggers"]["gunicorn.error"]["handlers"] == []
    assert config["loggers"]["gunicorn.error"]["propagate"] is True

"""A program's log tells what happened, and nobody's secrets."""

import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from telemetry.logs import configure_logs
configure_logs("info", FORMAT)
password = "correct" + " horse"
try:
    raise ZeroDivisionError(len(password))
except ZeroDivisionError:
    structlog.get_logger("x").exception("failed")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_tells_no_values_of_variables(log_format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("FORMAT", repr(log_format))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "ZeroDivisionError" in done.stdout
    assert "correct horse" not in done.stdout

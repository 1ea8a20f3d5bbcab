"""Settings of tracing: documented, refused where they make no sense, and off by default."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from telemetry.settings import TracingSettings

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "tracing.md").read_text()

# all that runs in the three programs, built as they build it, with nothing connected
BUILT = """
import sys
from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from lb.main import Balancer
from lb.settings import BalancerSettings
import worker.main
from telemetry.settings import TracingSettings
from telemetry.wiring import build_tracer
services = build_services(ReplicaSettings.from_environment())
assert build_app(services).test_client().get("/health/live").status_code == 200
close(services)
assert Balancer(BalancerSettings()).proxy.tracing is None
assert build_tracer(TracingSettings(), "worker", print) is None
# the Redis client loads what there is for metrics, for a use that is not ours
ours = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "requests", "google.protobuf")
print([name for name in sys.modules if name.startswith(ours)])
"""


def test_every_setting_is_documented_with_its_default() -> None:
    for name, field in TracingSettings.model_fields.items():
        default = f"`{field.default}`" if field.default else "none"
        assert f"| `MILLRACE_{name.upper()}` | {default} |" in DOCUMENT


def test_no_setting_is_documented_that_is_not_there() -> None:
    documented = set(re.findall(r"^\| `(MILLRACE_\w+)`", DOCUMENT, re.MULTILINE))
    names = {f"MILLRACE_{name.upper()}" for name in TracingSettings.model_fields}
    assert documented == names | {"MILLRACE_LB_TRACE_CLIENTS"}


@pytest.mark.parametrize("url", ["collector:4318", "grpc://a:4317", "http://", "http://a:port"])
def test_what_is_no_receivers_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"OTLP/HTTP"):
        TracingSettings(otlp_endpoint=url)


def test_without_an_endpoint_no_program_loads_the_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILT], capture_output=True, text=True, timeout=110, check=False,
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")},
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "MILLRACE_LB_BACKENDS": "127.0.0.1:1",
            # a machine's own setting turns nothing on
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"

"""Every setting and metric of the scaler is documented, and what cannot work is refused."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, exposition
from pydantic import ValidationError

from scaler.events import Events
from scaler.metrics import ScalerMetrics
from scaler.settings import ScalerSettings
from tests.unit.scaler.fluid_queue import POLICY

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "scaler.md").read_text()


def test_every_setting_is_documented_with_its_default() -> None:
    names = set()
    for name, field in ScalerSettings.model_fields.items():
        variable = field.validation_alias or f"MILLRACE_SCALER_{name.upper()}"
        shown = f"{field.default:g}" if isinstance(field.default, float) else field.default
        cell = "\N{EN DASH}" if shown is None else f"`{shown}`"
        assert f"| `{variable}` | {cell} |" in TEXT, variable
        names.add(variable)
    assert set(re.findall(r"^\| `(MILLRACE_\w+)`", TEXT, re.MULTILINE)) == names


def test_every_metric_is_documented() -> None:
    registry = CollectorRegistry()
    Events(registry)
    ScalerMetrics(registry, POLICY)
    found = set(re.findall(r"# TYPE (\S+) ", exposition.generate_latest(registry).decode()))
    page = (DOCS / "monitoring.md").read_text()
    documented = re.findall(r"^\| `(millrace_(?:scaler|events)_\w+)`", page, re.MULTILINE)
    assert sorted(name for name in found if not name.endswith("_created")) == sorted(documented)


def test_the_names_of_the_environment_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SCALER_MAX_WORKERS", "7")
    monkeypatch.setenv("MILLRACE_SCALER_DRIVER", "docker")
    settings = ScalerSettings()
    assert (settings.max_workers, settings.driver) == (7, "docker")


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_workers": 5, "max_workers": 4},
        {"min_workers": 0},
        {"target_utilisation": 1.1},
        {"lease_s": 9.0},
        {"window_s": 4.0},
        {"metrics_listen": "9100"},
        {"driver": "kubernetes"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScalerSettings.model_validate(wrong)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\((\w+\.md)", TEXT))))
def test_links_lead_somewhere(name: str) -> None:
    assert (DOCS / name).is_file()

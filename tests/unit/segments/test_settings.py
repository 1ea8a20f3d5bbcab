"""The settings of segments: names, bounds, and that an operator can read about each."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from segments.settings import SegmentSettings

DOCUMENT = Path(__file__).parents[3] / "docs" / "columnar.md"


@pytest.mark.parametrize("name", SegmentSettings.model_fields)
def test_each_setting_is_documented_with_its_default(name: str) -> None:
    alias = SegmentSettings.model_fields[name].validation_alias
    variable = str(alias or f"MILLRACE_SEGMENTS_{name}".upper())
    rows = [line for line in DOCUMENT.read_text().splitlines() if f"| `{variable}` |" in line]
    assert len(rows) == 1
    default = SegmentSettings.model_fields[name].default
    if isinstance(default, str):
        assert f"| `{default}` |" in rows[0]
    if isinstance(default, int | float):
        assert f"| `{default:g}` |" in rows[0] or f"| `{default}` |" in rows[0]


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SEGMENTS_FOLDER", "/srv/segments")
    monkeypatch.setenv("MILLRACE_SEGMENTS_MAX_MB", "5")
    monkeypatch.setenv("MILLRACE_ACCELERATE", "orders, sales.lineitem,")
    settings = SegmentSettings()
    assert settings.accelerate == ("orders", "sales.lineitem")
    assert (settings.folder, settings.max_mb) == (Path("/srv/segments"), 5)


def test_an_empty_folder_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SEGMENTS_FOLDER", "")
    assert SegmentSettings().folder is None


@pytest.mark.parametrize(
    "given", [{"max_mb": 0}, {"grace_s": 0}, {"read_mb": 2000}, {"format": "csv"}]
)
def test_values_out_of_bounds_are_refused(given: dict[str, float | str]) -> None:
    with pytest.raises(ValidationError):
        SegmentSettings.model_validate(given)

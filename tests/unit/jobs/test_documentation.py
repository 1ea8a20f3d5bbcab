"""Every setting of jobs is documented, with its default."""

from pathlib import Path

from jobs.settings import JobSettings

TEXT = (Path(__file__).parents[3] / "docs" / "jobs.md").read_text()


def test_every_setting_is_documented_with_its_default() -> None:
    for name, field in JobSettings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = f"{default:g}" if isinstance(default, float) else default
        assert f"| `MILLRACE_JOBS_{name.upper()}` | `{shown}` |" in TEXT, name

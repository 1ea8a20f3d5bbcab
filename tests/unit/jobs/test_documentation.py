"""Every setting of jobs and uploads is documented, with its default."""

from pathlib import Path

import pytest

from jobs.settings import HashKeySettings, JobSettings, UploadSettings

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("kind", "page"),
    [(JobSettings, "jobs"), (UploadSettings, "uploads"), (HashKeySettings, "hash_jobs")],
)
def test_every_setting_is_documented_with_its_default(
    kind: type[JobSettings | UploadSettings | HashKeySettings], page: str
) -> None:
    text = (DOCS / f"{page}.md").read_text()
    prefix = kind.model_config["env_prefix"]
    for name, field in kind.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = f"{default:g}" if isinstance(default, float) else default
        assert f"| `{prefix}{name.upper()}` | `{shown}` |" in text, name

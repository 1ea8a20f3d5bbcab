"""Every setting is documented, with its default."""

from pathlib import Path

from app.queries.settings import QuerySettings

DOCUMENT = Path(__file__).parents[3] / "docs" / "queries.md"


def test_every_query_setting_is_documented_with_its_default() -> None:
    text = DOCUMENT.read_text()
    for name, field in QuerySettings.model_fields.items():
        assert f"| `MILLRACE_{name.upper()}` | `{field.default:.10g}` |" in text, name

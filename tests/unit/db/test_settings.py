"""The settings: names, bounds, and that an operator can read about each."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from db.settings import DatabaseSettings

DOCUMENT = Path(__file__).parents[3] / "docs" / "database.md"


def variables() -> dict[str, object]:
    prefix = str(DatabaseSettings.model_config["env_prefix"])
    return {
        str(field.validation_alias or f"{prefix}{name}".upper()): field.get_default()
        for name, field in DatabaseSettings.model_fields.items()
    }


@pytest.mark.parametrize("variable", variables())
def test_each_setting_is_documented_with_its_default(variable: str) -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if f"| `{variable}` |" in line]
    assert len(rows) == 1
    default = variables()[variable]
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    if isinstance(default, str | int | float):
        assert f"| `{default}` |" in rows[0]


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner@/shop")
    monkeypatch.setenv("MILLRACE_SCHEMA", "sales")
    monkeypatch.setenv("MILLRACE_READER_ROLE", "looker")
    monkeypatch.setenv("MILLRACE_DB_POOL_SIZE", "3")
    settings = DatabaseSettings()
    assert settings.url == "postgresql://owner@/shop"
    assert (settings.schema_name, settings.reader_role, settings.pool_size) == (
        "sales",
        "looker",
        3,
    )


@pytest.mark.parametrize(
    "given",
    [
        {"url": "mysql://u:hunter2@h/d"},
        {"url": "postgresql://o@/d", "reader_url": "no url, hunter2"},
        {"url": "postgresql://o:hunter2@/d", "schema_name": "millrace"},
        {"url": "postgresql://o:hunter2@/d", "schema_name": "pg_catalog"},
        {"url": "postgresql://o:hunter2@/d", "pool_size": 0},
    ],
)
def test_wrong_values_are_refused_without_repeating_passwords(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        DatabaseSettings(**given)
    assert "hunter2" not in str(refused.value)


def test_passwords_do_not_show_when_settings_are_printed() -> None:
    settings = DatabaseSettings(
        url="postgresql://o:hunter2@/d", reader_url="postgresql://r:hunter2@/d"
    )
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "password"),
    [("postgresql://owner@one,two/shop?sslmode=require", "a/b@"), ("host=h password=own", "own")],
)
def test_the_password_may_lie_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, password: str
) -> None:
    file = tmp_path / "password"
    file.write_text("a/b@\n")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(file))
    monkeypatch.setenv("DATABASE_URL", url)
    settings = DatabaseSettings()
    assert conninfo_to_dict(settings.url) == {**conninfo_to_dict(url), "password": password}


@pytest.mark.parametrize("content", [None, "", "two\nlines\n"])
def test_a_password_file_that_holds_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(file))
    with pytest.raises(ValidationError, match=r"cannot be read|must hold one line") as refused:
        DatabaseSettings(url="postgresql://owner@/shop")
    assert "lines" not in str(refused.value)

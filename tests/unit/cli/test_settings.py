"""The command line's settings: URLs of servers, with passwords that lie in files."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from cli.settings import CliSettings


def test_given_servers_have_the_passwords_of_their_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE", "REDIS"):
        file = tmp_path / name
        file.write_text(f"of-{name}\n")
        monkeypatch.setenv(f"{name}_PASSWORD_FILE", str(file))
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner@db/shop")
    monkeypatch.setenv("REDIS_URL", "redis://redis:6379/0")
    settings = CliSettings()
    assert conninfo_to_dict(settings.database or "")["password"] == "of-DATABASE"
    assert settings.redis == "redis://:of-REDIS@redis:6379/0"


def test_servers_that_are_not_given_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings = CliSettings()
    assert (settings.database, settings.redis) == (None, None)

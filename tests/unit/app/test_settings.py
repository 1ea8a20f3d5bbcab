"""Settings: what is refused, and how it is said."""

import pytest

from app.settings import AppSettings, SettingsInvalid, read
from db.settings import DatabaseSettings


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "[::1]:0", "0.0.0.0:65535", "app:80"])
def test_an_address_is_host_and_port(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("MILLRACE_APP_LISTEN", address)
    assert read(AppSettings).app_listen == address


@pytest.mark.parametrize("address", ["", "8000", ":8000", "host:", "host:http", "host:65536"])
def test_what_is_no_address_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MILLRACE_APP_LISTEN", address)
    with pytest.raises(SettingsInvalid, match=r"MILLRACE_APP_LISTEN: .*host:port"):
        read(AppSettings)


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_APP_PROCESSES", "0")
    monkeypatch.setenv("MILLRACE_LOG_LEVEL", "loud")
    with pytest.raises(SettingsInvalid) as caught:
        read(AppSettings)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "MILLRACE_APP_PROCESSES",
        "MILLRACE_LOG_LEVEL",
    ]


def test_levels_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_LOG_LEVEL", "WARNING")
    assert read(AppSettings).log_level == "warning"


def test_a_setting_with_a_name_of_its_own_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingsInvalid, match=r"^DATABASE_URL: "):
        read(DatabaseSettings)


def test_a_wrong_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@[host/x")
    with pytest.raises(SettingsInvalid) as caught:
        read(DatabaseSettings)
    assert "secret" not in str(caught.value)

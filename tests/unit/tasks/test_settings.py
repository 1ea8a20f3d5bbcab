"""Settings that cannot work together are refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.settings import QueueSettings


def test_the_usual_names_of_the_environment_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "rediss://host:6380/1")
    monkeypatch.setenv("MILLRACE_QUEUE_LEASE_S", "7")
    settings = QueueSettings()
    assert (settings.url, settings.lease_s) == ("rediss://host:6380/1", 7.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://host"},
        {"url": "redis://host?protocol=3"},
        {"url": "redis+sentinel://host/service/0?protocol=3"},
        {"url": "redis+sentinel://host:26379"},
        {"url": "redis+sentinel:///service"},
        {"url": "redis+sentinel://host:1,/service"},
        {"url": "redis+sentinel://host:x/service"},
        {"url": "redis+sentinel://host/service/x"},
        {"url": "redis://host?decode_responses=yes"},
        {"lease_s": 0.9, "renew_s": 0.5},
        {"block_s": 1.5, "socket_timeout_s": 2.0},
        {"heartbeat_s": 2.0, "heartbeat_ttl_s": 3.0},
        {"max_deliveries": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QueueSettings(**{"url": "redis://host", **wrong})


def test_a_password_shows_in_no_message() -> None:
    with pytest.raises(ValidationError) as refusal:
        QueueSettings(url="http://:secret@host")
    assert "secret" not in str(refusal.value)
    assert "secret" not in repr(QueueSettings(url="redis://:secret@host"))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://host:6379/0", "redis://:a%2Fb%40@host:6379/0"),
        ("rediss://user@host", "rediss://user:a%2Fb%40@host"),
        ("unix:///run/redis.sock?db=1", "unix://:a%2Fb%40@/run/redis.sock?db=1"),
        ("redis+sentinel://one:1,two:2/service", "redis+sentinel://:a%2Fb%40@one:1,two:2/service"),
        ("redis://:its-own@host", "redis://:its-own@host"),
    ],
)
def test_the_password_may_lie_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, wanted: str
) -> None:
    file = tmp_path / "password"
    file.write_text("a/b@\n")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(file))
    monkeypatch.setenv("REDIS_URL", url)
    assert QueueSettings().url == wanted


@pytest.mark.parametrize("content", [None, "", "two\nlines\n"])
def test_a_password_file_that_holds_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(file))
    with pytest.raises(ValidationError, match=r"cannot be read|must hold one line") as refusal:
        QueueSettings(url="redis://host")
    assert "lines" not in str(refusal.value)

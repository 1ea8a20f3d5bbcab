"""Settings that cannot work together are refused."""

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

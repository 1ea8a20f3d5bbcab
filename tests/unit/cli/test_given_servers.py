"""Servers given by URL: no password is shown, and every failure has its remedy."""

import pytest

from cli.errors import ServerUnreachable
from cli.stack.given_servers import check_postgres, check_redis, masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@host:5432/db", "postgresql://u:***@host:5432/db"),
        ("postgresql://u@host/db", "postgresql://u@host/db"),
        ("postgresql:///db?user=u&password=secret", "postgresql:///db?user=u&password=***"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("host=h password='s e' dbname=d", "host=h password=*** dbname=d"),
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("postgresql://[broken", "(an unreadable URL)"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_a_postgresql_that_is_not_there_is_told_with_the_remedy() -> None:
    with pytest.raises(ServerUnreachable) as told:
        check_postgres("postgresql://u:secret@127.0.0.1:1/db")
    assert "Start the server, or correct host and port" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_redis_that_is_not_there_is_told_with_the_remedy() -> None:
    with pytest.raises(ServerUnreachable, match="unset REDIS_URL"):
        check_redis("redis://:secret@127.0.0.1:1/0")


def test_urls_that_cannot_be_read_are_told_with_an_example() -> None:
    with pytest.raises(ServerUnreachable, match="redis://:password@host:6379/0"):
        check_redis("http://127.0.0.1:1")
    with pytest.raises(ServerUnreachable, match="postgresql://user:password@host:5432/database"):
        check_postgres("nonsense")

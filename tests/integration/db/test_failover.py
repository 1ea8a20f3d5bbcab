"""The primary dies and its standby takes over: those who name both hosts go on."""

from collections.abc import Iterator

import psycopg
import pytest

from db.database import Database
from db.errors import DatabaseUnavailable
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from tests.integration.db.conftest import kill_with_sessions
from tests.integration.db.standby import StreamingPair, eventually


@pytest.fixture
def pair() -> Iterator[StreamingPair]:
    pair = StreamingPair()
    yield pair
    pair.end()


def settings_of(url: str) -> DatabaseSettings:
    return DatabaseSettings(
        url=url, reader_url=url, connect_timeout_s=2, breaker_reset_s=0.05, breaker_reset_max_s=0.2
    )


def works(database: Database, sql: str) -> bool:
    try:
        with database.connection() as connection:
            connection.execute(sql.encode())
    except DatabaseUnavailable:
        return False
    return True


def test_after_a_failover_reads_and_writes_go_to_the_new_primary(pair: StreamingPair) -> None:
    settings = settings_of(pair.url)
    write = "INSERT INTO public.written VALUES (1)"
    with psycopg.connect(pair.url_of(0), autocommit=True) as owner:
        owner.execute("CREATE TABLE written (n int)")
    with own_database(settings, "test") as own, reader_database(settings, "test") as reader:
        assert works(own, write)
        assert works(reader, "SELECT count(*) FROM public.written")
        with psycopg.connect(pair.url_of(0), autocommit=True) as owner:
            eventually(
                lambda: owner.execute(
                    "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
                ).fetchone()
            )
        kill_with_sessions(pair.running[0])
        # the standby alone is nobody's primary yet: neither writes nor, for exactness, reads
        assert not works(own, write)
        assert not works(reader, "SELECT 1")
        pair.promote()
        eventually(lambda: works(own, write))
        eventually(lambda: works(reader, "SELECT 1"))
        with reader.connection() as connection:
            count = connection.execute("SELECT count(*) FROM public.written").fetchone()
        assert count == ("2",)


def test_a_demoted_primary_is_left_at_the_first_write_that_it_refuses(pair: StreamingPair) -> None:
    with psycopg.connect(pair.url_of(0), autocommit=True) as owner:
        owner.execute("CREATE TABLE written (n int)")
        with own_database(settings_of(pair.url), "test") as own:
            write = "INSERT INTO public.written VALUES (1)"
            assert works(own, write)
            pair.promote()
            owner.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            owner.execute("SELECT pg_reload_conf()")
            eventually(lambda: not works(own, write))
            eventually(lambda: works(own, write))
            with own.connection() as connection:
                (where,) = connection.execute("SHOW unix_socket_directories").fetchone() or ("",)
            assert where == str(pair.places[1].sockets)
            assert own.status().breaker == "closed"

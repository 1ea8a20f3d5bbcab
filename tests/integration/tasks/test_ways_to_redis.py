"""The queue over TLS, and over a server that Sentinel finds, which fails over."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.embedded.valkey import EmbeddedValkey
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueUnavailable
from tasks.heartbeat import Workers
from tasks.settings import QueueSettings
from tests.integration.lb.running_program import certificate
from tests.integration.tasks.conftest import SHORT, Crew, eventually
from tests.integration.tasks.test_redis_dies import echoes
from tests.tls_relay import tls_in_front_of
from tests.watched_servers import Watched, watched  # noqa: F401 - a fixture


def test_the_queue_works_over_tls_and_trusts_nobody_else(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    made, key = certificate(tmp_path, "localhost")
    with tls_in_front_of(valkey.socket, made, key) as port:
        url = f"rediss://localhost:{port}/1023"
        with (
            connect(QueueSettings(url=url, connect_timeout_s=60, **SHORT), "test") as untrusting,
            pytest.raises(QueueUnavailable, match=r"(?i)certificate"),
        ):
            Workers(untrusting).list()
        settings = QueueSettings(url=f"{url}?ssl_ca_certs={made}", **SHORT)
        with connect(settings, "test") as client:
            client.flushdb()
            crew = Crew(settings, client, [])
            crew.start(slots=1)
            dispatcher = Dispatcher(client, settings)
            eventually(lambda: echoes(dispatcher))
            crew.stop()
            client.flushdb()


@pytest.mark.parametrize("cause", ["death", "order"])
def test_a_failover_is_followed_by_workers_and_senders(
    watched: Watched,  # noqa: F811
    cause: str,
) -> None:
    settings = QueueSettings(url=watched.url, **SHORT)
    with ExitStack() as stack:
        client = stack.enter_context(connect(settings, "test"))
        crew = Crew(settings, client, [])
        stack.callback(crew.stop)
        crew.start(slots=1)
        dispatcher = Dispatcher(client, settings)
        eventually(lambda: echoes(dispatcher))
        if cause == "death":
            watched.kill_master()
        else:  # the old master lives on as a replica, which takes no writes
            watched.fail_over()
        eventually(lambda: echoes(dispatcher))

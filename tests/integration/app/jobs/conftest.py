"""A replica that knows kinds of jobs, and a worker beside it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.own import own_database
from db.settings import DatabaseSettings
from jobs.ledger import POINT_QUERIES
from jobs.settings import JobSettings
from tasks.client import connect
from tasks.consumer import worker_name
from tasks.settings import QueueSettings
from tests.integration.app.conftest import Replica, _starter, wait_until
from tests.integration.app.jobs.written_kind import Written
from tests.integration.jobs.programmed_kind import EFFECTS, Programmed
from worker.wiring import bulk_runner

APPLICATION = "tests.integration.app.jobs.written_kind:create_app()"


class Desk:
    """A client of the replica that also knows how to wait."""

    def __init__(self, replica: Replica, database_url: str) -> None:
        self.http = replica.http
        self.database_url = database_url

    def post(self, kind: str, *, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
        """Ask for a job; return the response."""
        body = {"kind": kind, "parameters": parameters}
        return self.http.post("/v1/jobs", json=body, headers=headers or {})

    def submit(self, kind: str = "written", **parameters: Any) -> str:
        """Ask for a job; return where it is told of."""
        response = self.post(kind, **parameters)
        assert response.status_code == 202, response.text
        return str(response.headers["Location"])

    def job(self, place: str) -> dict[str, Any]:
        """Return what is told of a job."""
        response: httpx.Response = self.http.get(place)
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    def wait(self, place: str, state: str = "done") -> dict[str, Any]:
        """Wait until the job is in a state; return what is told of it then."""
        wait_until(lambda: self.job(place)["state"] == state, f"{state}: {self.job(place)}")
        return self.job(place)

    @contextmanager
    def watching(
        self, place: str, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Open the stream of a job's events.

        A stream that was cut takes its place until the replica has noticed: that is waited for.
        """
        found: list[httpx.Response] = []
        with ExitStack() as opened:

            def is_open() -> bool:
                opened.close()
                stream = self.http.stream("GET", f"{place}/events", headers=headers or {})
                found.append(opened.enter_context(stream))
                return found[-1].status_code != 503

            wait_until(is_open, "a place for a stream is free")
            yield found[-1]

    def finished(self, kind: str = "written", **parameters: Any) -> str:
        """Return where a job is told of that is done."""
        place = self.submit(kind, **parameters)
        self.wait(place)
        return place


@pytest.fixture(scope="session")
def desk(
    tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> Iterator[Desk]:
    """One for all tests here: each looks at its own jobs."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS desk")
        connection.execute("CREATE DATABASE desk")
    url = postgres.url("desk")
    settings = DatabaseSettings(url=url, own_pool_size=12)
    migrate(url, settings)
    with psycopg.connect(url) as connection:
        connection.execute(EFFECTS)
    queue = QueueSettings(url=valkey.url(1022), block_s=0.1)
    # but for the lease: no worker dies here, and one that hangs should keep what it has begun
    short = JobSettings(lease_s=60.0, renew_s=0.2, reconcile_s=0.1, poll_s=0.5)
    with own_database(settings, "test", session=POINT_QUERIES) as own, connect(queue, "t") as redis:
        runner = bulk_runner(
            own, redis, [Written(own), Programmed(own)], short,
            name=worker_name(), slots=4, block_s=queue.block_s,
        )  # fmt: skip
        runner.start()
        for start in _starter(tmp_path_factory.mktemp("desk")):
            replica = start(
                APPLICATION, DATABASE_URL=url, REDIS_URL=queue.url,
                MILLRACE_ASYNC_MAX_STREAMS="3",
            )  # fmt: skip
            yield Desk(replica, url)
        runner.drain(0.0)

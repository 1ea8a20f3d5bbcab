"""A job that is sent while PostgreSQL hangs: refused soon, or said to be unsure, never lost."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
import redis
from pydantic import BaseModel

import app.jobs.acceptance
from app.jobs.acceptance import Acceptance
from app.jobs.job_type import JobTools, JobType
from app.models_jobs import NewJobBody
from app.problem_types import JOB_UNSURE
from app.problems import Problem
from cli.faults.rules import Rule, Rules
from db.database import Database
from db.errors import TooSlow
from db.migrate import migrate
from db.own import own_database
from db.pool import Connection
from db.settings import DatabaseSettings
from jobs.service import Jobs
from jobs.settings import JobSettings
from tasks.bell import Bell
from tasks.client import connect
from tasks.settings import QueueSettings
from tests.chaos.local_proxy import LocalProxy, until
from tests.chaos.pooled import answers

HANGING = Rules(to_client=Rule(swallow=True))
BODY = NewJobBody(kind="given")
LIMIT_S = 0.5


class Nothing(BaseModel):
    """No parameters."""


class Given(JobType[Nothing]):
    """A kind that does something of the test's between the job's row and its commit."""

    name = "given"
    summary = "For tests."
    parameters = Nothing
    streams: Mapping[str, tuple[str, ...]] = {}  # type: ignore[misc]

    def __init__(self, before_commit: Callable[[Connection], None]) -> None:
        super().__init__(cast("JobTools", None))
        self.before_commit = before_commit

    def accept(self, parameters: Nothing) -> dict[str, Any]:
        return {}

    def attach(self, connection: Connection, job_id: str, kept: Mapping[str, Any]) -> None:
        self.before_commit(connection)


@pytest.fixture
def own(
    database_url: str, far_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    monkeypatch.setattr(app.jobs.acceptance, "ANSWER_S", 60.0)
    migrate(database_url, DatabaseSettings(url=database_url))
    settings = DatabaseSettings(
        url=far_database_url,
        breaker_reset_s=0.05,
        breaker_reset_max_s=0.05,
        breaker_slow_s=60.0,
    )
    with own_database(settings, "test") as own:
        until(lambda: answers(own))
        yield own


@pytest.fixture
def kind() -> Given:
    return Given(lambda _: None)


@pytest.fixture
def acceptance(own: Database, kind: Given, redis_url: str) -> Iterator[Acceptance]:
    with connect(QueueSettings(url=redis_url), "test") as client:
        yield Acceptance(own, _jobs(own, client), {"given": kind}, lambda _kind: None)


def _jobs(own: Database, client: redis.Redis) -> Jobs:
    return Jobs(own, Bell(client), JobSettings())


def count(own: Database) -> int:
    with own.connection() as connection:
        row = connection.execute("SELECT count(*) FROM jobs").fetchone()
    return int((row or ("0",))[0] or 0)


@pytest.mark.parametrize("key", [None, "k"])
def test_what_hangs_before_its_commit_is_refused_soon_and_not_taken_in(
    acceptance: Acceptance,
    own: Database,
    postgres_proxy: LocalProxy,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
) -> None:
    monkeypatch.setattr(app.jobs.acceptance, "ANSWER_S", LIMIT_S)
    postgres_proxy.set(HANGING)
    began = time.monotonic()
    with pytest.raises(TooSlow):
        acceptance.accept(BODY, key)
    assert time.monotonic() - began < LIMIT_S + 10.0  # and not twelve seconds
    postgres_proxy.reset()
    until(lambda: answers(own))
    assert count(own) == 0


@pytest.mark.parametrize(("key", "remedy"), [(None, "lists it"), ("k", "same Idempotency-Key")])
def test_what_hangs_in_its_commit_is_said_to_be_unsure(
    acceptance: Acceptance,
    kind: Given,
    own: Database,
    postgres_proxy: LocalProxy,
    key: str | None,
    remedy: str,
) -> None:
    def hang(connection: Connection) -> None:
        connection.answer_by = time.monotonic() + LIMIT_S
        postgres_proxy.set(HANGING)

    kind.before_commit = hang
    with pytest.raises(Problem, match=remedy) as caught:
        acceptance.accept(BODY, key)
    assert caught.value.kind is JOB_UNSURE
    assert caught.value.headers["Retry-After"] == "1"
    postgres_proxy.reset()
    until(lambda: answers(own))
    until(lambda: count(own) == 1)  # that commit may not have ended yet
    if key is not None:
        assert not acceptance.accept(BODY, key).is_new
        assert count(own) == 1

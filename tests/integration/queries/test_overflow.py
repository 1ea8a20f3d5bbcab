"""Costly queries without a free slot: so many run whole, the others wait or are refused."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from app.problem_table import problem_for
from app.queries.control import Control
from app.queries.errors import Overloaded
from app.queries.overflow import Overflow
from app.queries.request import QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from db.database import Database
from query.decision import Engine
from tasks.capacity import Capacity
from tasks.errors import QueueFull
from tasks.message import Reply
from tests.integration.queries.conftest import service_over
from tests.integration.queries.local import LocalDispatcher, LocalScatter

SQL = "SELECT grp, count(*) FROM t GROUP BY grp ORDER BY grp"


class Busy(LocalDispatcher):
    """All slots are busy; `full` tells whether the queue is too long as well."""

    full = False

    def capacity(self) -> Capacity:
        return Capacity(2, 4, 0, rate=2.0, queue_length=20)

    def scatter(  # type: ignore[override]
        self,
        payloads: Sequence[bytes],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> LocalScatter:
        if self.full:
            raise QueueFull(20, 8.5)
        return super().scatter(payloads, timeout_s=timeout_s, headers=headers)


@pytest.fixture
def dispatcher(reader: Database) -> Busy:
    return Busy(reader)


def service_with(reader: Database, dispatcher: Busy, places: int) -> QueryService:
    settings = QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9, max_overflow=places)
    return service_over(reader, settings, dispatcher)


def query(engine: Engine = "auto", sql: str = SQL) -> QueryInput:
    return QueryInput(sql, (), 30.0, 1000, engine)


@contextmanager
def one_running(service: QueryService) -> Iterator[None]:
    """Have one query run whole, and take its place, inside the context."""
    with service.open(query(), Control("", 30.0)) as answer:
        assert answer.mode == "direct"
        yield


def test_with_a_place_free_it_runs_whole(reader: Database, dispatcher: Busy) -> None:
    service = service_with(reader, dispatcher, 1)
    for _ in range(3):  # each gives its place back
        answer = service.run(query())
        assert (answer.mode, answer.reason) == ("direct", "all slots are busy")


def test_without_a_place_it_waits_for_slots(reader: Database, dispatcher: Busy) -> None:
    service = service_with(reader, dispatcher, 1)
    whole = service.run(query())
    with one_running(service):
        parts = service.run(query())
    assert parts.mode == "partitioned"
    assert parts.rows == whole.rows
    assert service.run(query()).mode == "direct"


def test_where_that_takes_too_long_it_is_refused_with_the_estimate(
    reader: Database, dispatcher: Busy
) -> None:
    service = service_with(reader, dispatcher, 1)
    dispatcher.full = True
    with one_running(service), pytest.raises(Overloaded) as refusal:
        service.run(query())
    problem = problem_for(refusal.value)
    assert problem is not None
    assert (problem.kind.uri, problem.kind.status) == ("/problems/overloaded", 503)
    assert problem.headers["Retry-After"] == "9"
    assert problem.document("id")["retry_after_s"] == 9
    assert service.run(query()).mode == "direct"


def test_what_was_accepted_is_never_refused(reader: Database, dispatcher: Busy) -> None:
    service = service_with(reader, dispatcher, 0)
    dispatcher.full = True
    assert service.run(query(), accepted=True).mode == "direct"
    with pytest.raises(Overloaded):
        service.run(query())


def test_what_must_run_in_parts_is_refused_as_overload_and_not_for_good(
    reader: Database, dispatcher: Busy
) -> None:
    dispatcher.full = True
    with pytest.raises(Overloaded):
        service_with(reader, dispatcher, 1).run(query("partitioned"))


@pytest.mark.parametrize(
    "asked",
    [query("direct"), query(sql="SELECT count(*) FROM t, LATERAL (SELECT random()) AS r")],
)
def test_what_would_run_whole_anyhow_needs_no_place(
    reader: Database, dispatcher: Busy, asked: QueryInput
) -> None:
    service = service_with(reader, dispatcher, 0)
    dispatcher.full = True
    assert service.run(asked).mode == "direct"


class Poisoned(LocalDispatcher):
    """Its fragments end each worker that takes them."""

    def scatter(  # type: ignore[override]
        self,
        payloads: Sequence[bytes],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> LocalScatter:
        return GivenUp(self._database, payloads)


class GivenUp(LocalScatter):
    """Answers as a worker does that gives a task up."""

    def gather(self) -> Iterator[Reply]:
        error = "given up: delivered 3 times and never finished"
        yield Reply(0, b"", "w", error, 0.0, 0.0, attempt=4)


def test_a_query_whose_fragments_were_given_up_runs_whole(reader: Database) -> None:
    settings = QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)
    answer = service_over(reader, settings, Poisoned(reader)).run(query())
    assert answer.mode == "direct"
    assert "given up: delivered 3 times" in answer.reason
    assert answer.rows == service_over(reader, settings).run(query("direct")).rows


def test_places_are_never_more_than_there_are() -> None:
    overflow = Overflow(3)
    inside: list[bool] = []
    most: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(200):
            with overflow.turn() as turn:
                if turn.take() and turn.take():
                    with lock:
                        inside.append(True)
                        most.append(len(inside))
                    with lock:
                        inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= max(most) <= 3
    with overflow.turn() as turn:
        assert turn.take()

"""Split answers computed again, whole; a worker that lies is found out."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from prometheus_client import CollectorRegistry

from app.queries import self_check
from app.queries.catalog_reader import CatalogReader
from app.queries.metrics import QueryMetrics
from app.queries.request import QueryInput
from app.queries.self_check import Sample, SelfCheck
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.queries.splitting_off import SplittingOff
from db.database import Database
from db.own import own_database
from db.settings import DatabaseSettings
from query.errors import NotSplittable
from query.fragment import Fragment, Partial
from query.statement import Parser
from tests.integration.queries.local import LocalDispatcher, LocalScatter

COUNT = "SELECT count(*) FROM t WHERE n > {}"


class LyingScatter(LocalScatter):
    """Answers every number, one too high."""

    def _run(self, fragment: Fragment) -> bytes:
        partial = Partial.decode(super()._run(fragment))
        data = [
            [str(int(value) + 1) if value and value.isdigit() else value for value in column]
            for column in partial.data
        ]
        return replace(partial, data=data).encode()


class LyingDispatcher(LocalDispatcher):
    """Hands out lying scatters once `lies` is set."""

    lies = False

    def scatter(  # type: ignore[override]
        self, payloads: list[bytes], *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> LocalScatter:
        return (LyingScatter if self.lies else LocalScatter)(self._database, payloads)


@dataclass
class Checked:
    """A service that checks every split answer."""

    service: QueryService
    dispatcher: LyingDispatcher
    check: SelfCheck
    registry: CollectorRegistry

    def count(self, result: str) -> float:
        name = "millrace_app_self_checks_total"
        return self.registry.get_sample_value(name, {"result": result}) or 0.0


@pytest.fixture
def own(tables_url: str) -> Iterator[Database]:
    with own_database(DatabaseSettings(url=tables_url), "test") as database:
        yield database
        with database.connection() as connection:
            connection.execute("DELETE FROM millrace.splitting_off")


Build = Callable[[], Checked]


@pytest.fixture
def build(reader: Database, own: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    # however busy the machine is, all are checked that are sampled
    monkeypatch.setattr(self_check, "IMPORT_WAIT_S", 30.0)
    started: list[SelfCheck] = []

    def made() -> Checked:
        registry = CollectorRegistry()
        metrics = QueryMetrics(registry)
        check = SelfCheck(
            reader, SplittingOff(own), metrics, share=1.0, timeout_s=30.0, max_bytes=10**7
        )
        dispatcher = LyingDispatcher(reader)
        service = QueryService(
            reader,
            dispatcher,
            parser=Parser(cache_size=100, max_length=100_000, max_depth=60),
            catalog=CatalogReader("public"),
            settings=QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9),
            metrics=metrics,
            self_check=check,
        )
        check.start()
        started.append(check)
        return Checked(service, dispatcher, check, registry)

    yield made
    for check in started:
        check.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ask(
    checked: Checked, sql: str, engine: str = "auto"
) -> tuple[str, list[tuple[str | None, ...]]]:
    answer = checked.service.run(QueryInput(sql, (), 30.0, 10_000, engine))  # type: ignore[arg-type]
    return answer.mode, answer.rows


def stored(own: Database) -> int:
    with own.connection() as connection:
        return len(connection.execute("SELECT shape FROM millrace.splitting_off").fetchall())


@pytest.mark.parametrize(
    "sql",
    [COUNT.format(5), "SELECT grp, avg(amount) FROM t GROUP BY grp ORDER BY 2 DESC, 1",
     "SELECT id, free FROM t WHERE n > 50 ORDER BY free"],
)  # fmt: skip
def test_right_answers_are_found_equal(build: Build, sql: str) -> None:
    checked = build()
    assert ask(checked, sql)[0] == "partitioned"
    wait_for(lambda: checked.count("equal") == 1)
    assert checked.count("different") == checked.count("failed") == 0


def test_a_wrong_answer_turns_splitting_off_for_its_shape(build: Build, own: Database) -> None:
    checked, other = build(), build()
    checked.dispatcher.lies = True
    ask(checked, COUNT.format(5))
    wait_for(lambda: len(checked.check.off) == stored(own) == 1)
    checked.dispatcher.lies = False
    mode, rows = ask(checked, COUNT.format(77))
    assert mode == "direct"
    assert rows == ask(checked, COUNT.format(77), "direct")[1]
    with pytest.raises(NotSplittable, match="self-check"):
        ask(checked, COUNT.format(1), "partitioned")
    assert ask(checked, "SELECT count(*) FROM t WHERE id > 5")[0] == "partitioned"
    # a replica that did not see it itself learns of it
    other.check.off.refresh()
    assert ask(other, COUNT.format(3))[0] == "direct"


def test_it_ends_though_another_answer_waits_to_be_checked(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = build()
    at_work, may_end = threading.Event(), threading.Event()

    def check(sample: Sample) -> None:
        at_work.set()
        sample.imported.set()
        may_end.wait()

    monkeypatch.setattr(checked.check, "_check", check)
    ask(checked, COUNT.format(1))
    assert at_work.wait(30)
    monkeypatch.setattr(self_check, "IMPORT_WAIT_S", 0.0)
    ask(checked, COUNT.format(2))
    stopping = threading.Thread(target=checked.check.stop, daemon=True)
    stopping.start()
    wait_for(lambda: checked.check._stopping)
    may_end.set()
    stopping.join(30)
    assert not stopping.is_alive()


def test_an_operator_can_turn_it_on_again(build: Build, own: Database) -> None:
    checked = build()
    checked.dispatcher.lies = True
    ask(checked, COUNT.format(5))
    # stored, and not yet read again by the one who stored it
    wait_for(lambda: stored(own) == 1)
    checked.dispatcher.lies = False
    with own.connection() as connection:
        connection.execute("DELETE FROM millrace.splitting_off")
    checked.check.off.refresh()
    assert ask(checked, COUNT.format(5))[0] == "partitioned"

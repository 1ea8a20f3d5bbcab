"""What the metrics of the queue tell, and what they keep while Redis is away."""

from collections.abc import Callable

import pytest
import redis
from prometheus_client import CollectorRegistry

from app.queue_metrics import QueueMetrics, QueueView, queue_view
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueUnavailable
from tasks.lanes import PASSWORD, QUERY, oldest_age_s
from tests.integration.tasks.conftest import Crew, eventually


def shown(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"millrace_app_{name}", labels)


def test_tasks_their_age_and_workers_are_told(
    client: redis.Redis, dispatcher: Dispatcher, crew: Crew
) -> None:
    registry = CollectorRegistry()
    metrics = QueueMetrics(registry, lambda: queue_view(client), lambda: False)
    crew.start(slots=1)

    def held() -> bool:
        metrics.look()
        return shown(registry, "queue_tasks", lane="query", state="held") == 1

    with dispatcher.scatter([b"wait 60"] * 3, timeout_s=100):
        eventually(held)
        eventually(lambda: oldest_age_s(client, QUERY) > 0.2)
        metrics.look()
    assert shown(registry, "queue_tasks", lane="query", state="waiting") == 2
    assert shown(registry, "queue_tasks", lane="password", state="waiting") == 0
    assert shown(registry, "workers", state="taking") == 1
    assert shown(registry, "workers", state="draining") == 0
    assert shown(registry, "queue_dead_letters") == 0
    assert 0.2 < (shown(registry, "queue_oldest_task_seconds", lane="query") or 0) < 60
    assert shown(registry, "queue_oldest_task_seconds", lane="password") == 0


def test_a_lane_without_tasks_has_no_age(client: redis.Redis) -> None:
    assert oldest_age_s(client, PASSWORD) == 0


def _fails() -> QueueView:
    raise QueueUnavailable("gone")


def _is_not_asked() -> QueueView:
    pytest.fail("Redis is away, and was asked")


@pytest.mark.parametrize(("view", "is_away"), [(_fails, False), (_is_not_asked, True)])
def test_while_redis_is_away_the_last_numbers_stay(
    client: redis.Redis, view: Callable[[], QueueView], is_away: bool
) -> None:
    registry = CollectorRegistry()
    views = iter([lambda: queue_view(client), view])
    away = iter([False, is_away])

    def looked_at() -> QueueView:
        return next(views)()

    metrics = QueueMetrics(registry, looked_at, lambda: next(away))
    metrics.look()
    metrics.look()
    assert shown(registry, "queue_tasks", lane="query", state="waiting") == 0

"""How far behind read replicas are, as Prometheus reads it."""

import math

from prometheus_client import CollectorRegistry

from app.queries.replica_metrics import ReplicaMetrics
from db.reader import reader_database
from db.replicas import ReadReplica, ReplicaWatch
from db.settings import DatabaseSettings


def test_each_replica_has_its_age_and_an_infinite_one_while_it_is_not_known() -> None:
    database = reader_database(DatabaseSettings(url="postgresql://nobody@127.0.0.1:1/x"), "app")
    known, unknown = ReadReplica("one", database, covered_at=40.0), ReadReplica("two", database)
    watch = ReplicaWatch(database, [known, unknown], clock=lambda: 52.5)
    registry = CollectorRegistry()
    ReplicaMetrics(registry, watch).look()
    name = "millrace_app_read_replica_age_seconds"
    assert registry.get_sample_value(name, {"replica": "one"}) == 12.5
    assert registry.get_sample_value(name, {"replica": "two"}) == math.inf

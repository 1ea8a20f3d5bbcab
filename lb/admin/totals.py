"""The metrics of all processes as one."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

# one family: {"name", "help", "type", "samples": [[name, labels, value], …]}
Family = dict[str, Any]
_Series = tuple[str, tuple[tuple[str, str], ...]]


def families(metrics: Iterable[Metric]) -> list[Family]:
    """Return metrics as they travel between processes."""
    return [
        {
            "name": metric.name,
            "help": metric.documentation,
            "type": metric.type,
            "samples": [[sample.name, sample.labels, sample.value] for sample in metric.samples],
        }
        for metric in metrics
    ]


class Totals:
    """Sums, which keep what processes counted that have ended.

    Without that, a sum would fall when a process ends, and Prometheus would take the rest for new.
    """

    def __init__(self) -> None:
        self._ended: dict[_Series, float] = {}

    def end(self, report: Iterable[Family]) -> None:
        """Keep the counts of a process that has ended."""
        for family in report:
            if family["type"] in {"counter", "histogram"}:
                for name, labels, value in family["samples"]:
                    series = _series(name, labels)
                    self._ended[series] = self._ended.get(series, 0.0) + value

    def sum(self, reports: Iterable[Iterable[Family]]) -> list[Metric]:
        """Return the families of the living processes, summed, with what the ended ones counted.

        What no living process knows any more, such as a replica of the past, is forgotten: the
        series stay bounded.
        """
        metrics: dict[str, Metric] = {}
        values: dict[_Series, tuple[str, float]] = {}
        for report in reports:
            for family in report:
                metrics.setdefault(
                    family["name"], Metric(family["name"], family["help"], family["type"])
                )
                for name, labels, value in family["samples"]:
                    series = _series(name, labels)
                    _, before = values.get(series, ("", self._ended.get(series, 0.0)))
                    values[series] = (family["name"], before + value)
        for (name, pairs), (family_name, value) in values.items():
            metrics[family_name].add_sample(name, dict(pairs), value)
        if values:
            self._ended = {key: value for key, value in self._ended.items() if key in values}
        return list(metrics.values())


def text(metrics: list[Metric]) -> bytes:
    """Return the exposition in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(metrics))
    return exposition.generate_latest(registry)


class _Fixed(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _series(name: str, labels: dict[str, str]) -> _Series:
    return name, tuple(sorted(labels.items()))

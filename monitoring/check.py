"""Asks a running Prometheus whether everything is watched: `python -m monitoring.check`.

All targets must be up, all rules work, and every recording and every query of a dashboard have
data.  What does not is listed, and the exit code is 1; 2 when Prometheus does not answer.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitoring.dashboard_queries import FOLDER, PanelQuery, documents, queries
from monitoring.prometheus_api import PrometheusApi, PrometheusUnavailable, QueryRefused

STEP_S = 15.0


@dataclass(frozen=True)
class Finding:
    """Something that was looked at; `problem` says what is wrong, or is None."""

    kind: str
    name: str
    problem: str | None


class Check:
    """Looks at the last `minutes`."""

    def __init__(self, prometheus: PrometheusApi, minutes: float, now: float) -> None:
        self._prometheus = prometheus
        self._start, self._end = now - minutes * 60, now

    def findings(self, panel_queries: Iterable[PanelQuery]) -> Iterator[Finding]:
        """Yield one for each target, rule and query.  Raises PrometheusUnavailable."""
        for target in self._prometheus.targets():
            problem = None if target["health"] == "up" else target["lastError"] or target["health"]
            labels = target["labels"]
            yield Finding("target", f"{labels['job']} {labels['instance']}", problem)
        for rule in self._prometheus.rules():
            kind = "recording rule" if rule["type"] == "recording" else "alert"
            problem = None if rule["health"] == "ok" else rule.get("lastError") or rule["health"]
            if problem is None and kind == "recording rule":
                problem = self._without_data(rule["name"])
            yield Finding(kind, rule["name"], problem)
        for query in panel_queries:
            name = f"{query.dashboard}: {query.panel}: {query.expr}"
            yield Finding("dashboard query", name, self._without_data(query.filled))

    def _without_data(self, expr: str) -> str | None:
        try:
            found = self._prometheus.values(
                expr, start=self._start, end=self._end, step_s=STEP_S
            )  # fmt: skip
        except QueryRefused as error:
            return f"refused: {error}"
        return None if found else "no data"


def firing(prometheus: PrometheusApi) -> list[str]:
    """Return the names of the alerts that fire now."""
    return sorted(rule["name"] for rule in prometheus.rules() if rule.get("state") == "firing")


def report(findings: Sequence[Finding]) -> list[str]:
    """Return the lines to print: a count for each kind, then what is wrong."""
    kinds = dict.fromkeys(finding.kind for finding in findings)
    lines = []
    for kind in kinds:
        ours = [finding for finding in findings if finding.kind == kind]
        bad = [finding for finding in ours if finding.problem is not None]
        noun = kind if len(ours) == 1 else kind.replace("query", "querie") + "s"
        lines.append(f"{len(ours) - len(bad)} of {len(ours)} {noun} well")
        lines += [f"  {finding.name}: {finding.problem}" for finding in bad]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print, and return the exit code."""
    parser = argparse.ArgumentParser("python -m monitoring.check", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:9090", help="where Prometheus answers")
    parser.add_argument("--minutes", type=float, default=5.0, help="how far back data may lie")
    parser.add_argument("--dashboards", type=Path, default=FOLDER, help="folder of the JSON files")
    given = parser.parse_args(arguments)
    asked = [
        query for name, one in documents(given.dashboards).items() for query in queries(name, one)
    ]
    try:
        prometheus = PrometheusApi(given.url)
        findings = list(Check(prometheus, given.minutes, time.time()).findings(asked))
        alerts = firing(prometheus)
    except PrometheusUnavailable as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    kinds = {finding.kind for finding in findings}
    nothing = {"target", "recording rule", "alert", "dashboard query"} - kinds
    findings += [Finding(kind, "all of them", "there is none") for kind in sorted(nothing)]
    for line in report(findings):
        print(line)
    print(f"alerts that fire now: {', '.join(alerts) or 'none'}")
    return int(any(finding.problem is not None for finding in findings))


if __name__ == "__main__":
    sys.exit(main())

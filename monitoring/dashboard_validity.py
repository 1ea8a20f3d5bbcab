"""Checks the dashboards' JSON without a server: `python -m monitoring.dashboard_validity`.

What Grafana would show as an empty panel, or move elsewhere, is listed, and the exit code is 1.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import promql_parser

from monitoring.dashboard_queries import BUILT_IN, documents, queries

_SOURCES = Path(__file__).resolve().parent / "grafana" / "provisioning" / "datasources"
_DASHBOARD_KEYS = {
    "uid", "title", "tags", "schemaVersion", "time", "refresh", "templating", "annotations",
    "panels", "links",
}  # fmt: skip
_PANEL_KEYS = {
    "id", "type", "title", "description", "datasource", "gridPos", "targets", "fieldConfig",
    "options",
}  # fmt: skip
# of those that are part of Grafana 11
_PANEL_TYPES = {
    "bargauge", "barchart", "gauge", "heatmap", "histogram", "piechart", "row", "stat",
    "state-timeline", "status-history", "table", "text", "timeseries",
}  # fmt: skip
# Grafana's ids of units; a wrong one is shown as a suffix of each number
_UNITS = {
    "Bps", "binBps", "bool", "bytes", "celsius", "cps", "dateTimeAsIso", "decbytes", "dtdurations",
    "hertz", "iops", "m", "ms", "none", "ops", "opm", "percent", "percentunit", "reqps", "reqpm",
    "rowsps", "rps", "s", "short", "string", "wps", "µs",
}  # fmt: skip
_COLUMNS = 24
_REFERENCE = re.compile(r"\$\{?(\w+)\}?")


def provisioned_sources(folder: Path = _SOURCES) -> frozenset[str]:
    """Return the uids of the data sources that Grafana is given."""
    texts = (path.read_text() for path in folder.glob("*.yml"))
    return frozenset(
        uid for text in texts for uid in re.findall(r"^ +uid: (\S+)$", text, re.MULTILINE)
    )


def complaints(
    name: str, document: Mapping[str, Any], *, sources: frozenset[str], uids: frozenset[str]
) -> Iterator[str]:
    """Yield what is wrong with a dashboard.

    `sources`: uids of the data sources that there are; `uids`: those of all dashboards.
    """
    missing = _DASHBOARD_KEYS - document.keys()
    if missing:
        yield f"it lacks {', '.join(sorted(missing))}"
        return
    panels = document["panels"]
    for number, count in Counter(panel.get("id") for panel in panels).items():
        if count > 1:
            yield f"{count} panels have the id {number}"
    for panel in panels:
        for complaint in _of_panel(panel, sources, uids):
            yield f"{panel.get('title')}: {complaint}"
    yield from _overlaps(panels)
    yield from _of_variables(name, document, sources)
    yield from _of_queries(name, document)


def _of_panel(
    panel: Mapping[str, Any], sources: frozenset[str], uids: frozenset[str]
) -> Iterator[str]:
    if panel.get("type") not in _PANEL_TYPES:
        yield f"{panel.get('type')} is no kind of panel"
    if panel.get("type") == "row":
        return
    missing = _PANEL_KEYS - panel.keys()
    if missing:
        yield f"it lacks {', '.join(sorted(missing))}"
        return
    for asked in (panel, *panel["targets"]):
        if asked["datasource"]["uid"] not in sources:
            yield f"there is no data source {asked['datasource']['uid']}"
    references = [target["refId"] for target in panel["targets"]]
    if not references or len(set(references)) != len(references):
        yield f"its queries are called {references}"
    defaults = panel["fieldConfig"]["defaults"]
    if defaults["unit"] not in _UNITS:
        yield f"{defaults['unit']} is no unit"
    values = [step["value"] for step in defaults["thresholds"]["steps"]]
    if values[0] is not None or any(low > high for low, high in pairwise(values[1:])):
        yield f"its thresholds are {values}"
    for link in panel.get("links", ()):
        if not any(link["url"].startswith(f"/d/{uid}?") for uid in uids):
            yield f"its link leads to {link['url']}"


def _overlaps(panels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    places = [(panel["title"], panel["gridPos"]) for panel in panels]
    for title, at in places:
        if at["x"] < 0 or at["w"] < 1 or at["h"] < 1 or at["x"] + at["w"] > _COLUMNS:
            yield f"{title} is beyond the grid"
    for (title, one), (other, two) in combinations(places, 2):
        beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        below = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        if not beside and not below:
            yield f"{title} and {other} overlap"


def _of_variables(
    name: str, document: Mapping[str, Any], sources: frozenset[str]
) -> Iterator[str]:  # fmt: skip
    variables = document["templating"]["list"]
    defined = {variable["name"] for variable in variables}
    for variable in variables:
        if variable["datasource"]["uid"] not in sources:
            yield f"${variable['name']}: no data source {variable['datasource']['uid']}"
    asked = {found for query in queries(name, document) for found in query.variables}
    chained = {
        found for variable in variables for found in _REFERENCE.findall(variable["definition"])
    }
    for unknown in sorted((asked | chained) - defined - BUILT_IN.keys()):
        yield f"${unknown} is used and not defined"
    for idle in sorted(defined - asked):
        yield f"${idle} is defined, and no panel uses it"


def _of_queries(name: str, document: Mapping[str, Any]) -> Iterator[str]:
    for query in queries(name, document):
        try:
            promql_parser.parse(query.filled)
        except ValueError as error:
            yield f"{query.panel}: {query.expr}: {error}"


def main() -> int:
    """Check all of them, print what is wrong, and return the exit code."""
    found = documents()
    sources, uids = provisioned_sources(), frozenset(one["uid"] for one in found.values())
    wrong = [
        f"{name}: {complaint}"
        for name, document in found.items()
        for complaint in complaints(name, document, sources=sources, uids=uids)
    ]
    for line in wrong:
        print(line)
    print(f"{len(found)} dashboards, {len(wrong)} complaints")
    return int(bool(wrong) or not found)


if __name__ == "__main__":
    sys.exit(main())

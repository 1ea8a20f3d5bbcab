"""The dashboards' JSON is the generator's, and Grafana can show all of it."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from monitoring.dashboard_queries import PanelQuery, documents, queries
from monitoring.dashboard_validity import complaints, main, provisioned_sources
from monitoring.dashboards.__main__ import FOLDER, text
from monitoring.dashboards.all import DASHBOARDS
from monitoring.dashboards.dashboard import Dashboard, Row
from monitoring.dashboards.panel import Panel, Query

DOCUMENTS = documents()
SOURCES = provisioned_sources()
UIDS = frozenset(document["uid"] for document in DOCUMENTS.values())


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=[one.uid for one in DASHBOARDS])
def test_the_committed_file_is_what_the_generator_writes(dashboard: Dashboard) -> None:
    committed = (FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8")
    assert committed == text(dashboard), "run python -m monitoring.dashboards"


def test_there_is_a_file_for_each_dashboard_and_no_other() -> None:
    assert set(DOCUMENTS) == {f"{dashboard.uid}.json" for dashboard in DASHBOARDS}
    assert len(UIDS) == len(DASHBOARDS) == 6


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_grafana_can_show_all_of_it(name: str) -> None:
    assert list(complaints(name, DOCUMENTS[name], sources=SOURCES, uids=UIDS)) == []


def test_the_check_of_all_is_content(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert capsys.readouterr().out == "6 dashboards, 0 complaints\n"


def _set(*path: str | int) -> Callable[[Any, Any], None]:
    def change(document: Any, value: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


DEFAULTS = ("panels", 1, "fieldConfig", "defaults")


@pytest.mark.parametrize(
    ("change", "value", "complaint"),
    [
        (_set("panels", 1, "type"), "graph2", "graph2 is no kind of panel"),
        (_set("panels", 1, "id"), 3, "2 panels have the id 3"),
        (_set("panels", 1, "gridPos", "x"), 22, "beyond the grid"),
        (_set("panels", 2, "gridPos", "x"), 1, "overlap"),
        (_set("panels", 1, "datasource"), {"uid": "other"}, "no data source other"),
        (_set("panels", 1, "targets"), [], "its queries are called []"),
        (_set("panels", 1, "targets", 0, "expr"), "sum(rate(x[5m])", "sum(rate(x[5m])"),
        (_set("panels", 1, "targets", 0, "expr"), "up{a='$nobody'}", "$nobody is used"),
        (_set(*DEFAULTS, "unit"), "furlongs", "furlongs is no unit"),
        (_set(*DEFAULTS, "thresholds", "steps"), [{"value": 1}], "its thresholds are [1]"),
        (_set("panels", 1, "links"), [{"url": "/d/nothing?"}], "its link leads to /d/nothing?"),
        (_set("templating", "list"), [], "$service is used and not defined"),
    ],
)
def test_what_is_wrong_is_named(
    change: Callable[[Any, Any], None], value: object, complaint: str
) -> None:
    name = "millrace-overview.json"
    document = copy.deepcopy(DOCUMENTS[name])
    change(document, value)
    found = list(complaints(name, document, sources=SOURCES, uids=UIDS))
    assert any(complaint in one for one in found), found


def test_a_variable_that_nobody_asks_for_is_named() -> None:
    panel = Panel("Up", "Targets.", (Query("up"),))
    document = Dashboard("one", "One", "One panel.", ("lb",), (Row("All", (panel,)),)).document()
    found = list(complaints("one.json", document, sources=SOURCES, uids=frozenset({"one"})))
    assert found == [
        "$instance is defined, and no panel uses it",
        "$service is defined, and no panel uses it",
    ]


def test_panels_go_from_left_to_right_and_below_what_is_above() -> None:
    panels = tuple(
        Panel(str(number), "", (Query("up"),), width=width, height=height)
        for number, (width, height) in enumerate([(12, 4), (12, 7), (8, 5)])
    )
    rows = (Row("a", panels), Row("b", panels[:1]))
    placed = Dashboard("one", "", "", ("lb",), rows).document()["panels"]
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in placed]
    assert places == [
        (0, 0, 24, 1), (0, 1, 12, 4), (12, 1, 12, 7), (0, 8, 8, 5), (0, 13, 24, 1), (0, 14, 12, 4),
    ]  # fmt: skip
    assert [panel["id"] for panel in placed] == list(range(1, 7))


def test_variables_are_filled_in() -> None:
    query = PanelQuery("one", "Up", 'rate(x{job=~"$service"}[$__rate_interval]) > ${least}')
    assert query.filled == 'rate(x{job=~".*"}[1m]) > .*'
    assert query.variables == {"service", "__rate_interval", "least"}


def test_each_dashboard_leads_to_the_others_and_lets_service_and_instance_be_chosen() -> None:
    for document in DOCUMENTS.values():
        assert [link["tags"] for link in document["links"]] == [document["tags"]]
        names = [variable["name"] for variable in document["templating"]["list"]]
        assert names[:2] == ["service", "instance"]


def test_no_panel_asks_the_same_twice() -> None:
    for name, document in DOCUMENTS.items():
        asked = [(query.panel, query.expr) for query in queries(name, document)]
        twice = [one for one, two in itertools.pairwise(sorted(asked)) if one == two]
        assert twice == []

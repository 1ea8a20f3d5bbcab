"""What rules and dashboards ask for is there, and documented on one page."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.dashboard_queries import documents, queries

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGE = (DOCS / "monitoring.md").read_text()
ROWS = re.findall(r"^\| `((?:millrace|process)_\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
# within a name, what Prometheus adds to that of a histogram
PARTS = re.compile(r"_(bucket|count|sum)$")
OURS = re.compile(r"\b((?:millrace|process)_[a-z_]+)\b(?![:(])")


def asked() -> set[str]:
    """Return our metrics that rules and dashboards name."""
    rules: list[Any] = [
        rule
        for path in (ROOT / "monitoring" / "rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    texts = [rule["expr"] for rule in rules]
    for name, document in documents().items():
        texts += [query.expr for query in queries(name, document)]
        texts += [variable["definition"] for variable in document["templating"]["list"]]
    found = set()
    for text in texts:
        for alternatives in re.findall(r'__name__=~"([^"]+)"', text):
            found |= set(expanded(alternatives))
        bare = re.sub(r'__name__=~"[^"]+"|"[^"]*"|\b[\w]+:[\w:]+', "", text)
        found |= set(OURS.findall(bare))
    return found


def expanded(pattern: str) -> list[str]:
    """Return the names that such a pattern stands for: `a_(b|c)_d`, `a|b`."""
    grouped = re.fullmatch(r"(\w+)\(([\w|]+)\)(\w+)", pattern)
    if grouped is None:
        return pattern.split("|")
    before, middles, after = grouped.groups()
    return [f"{before}{middle}{after}" for middle in middles.split("|")]


def test_a_pattern_stands_for_names() -> None:
    assert expanded("millrace_(app|worker)_state") == [
        "millrace_app_state",
        "millrace_worker_state",
    ]
    assert expanded("a_b|c_d") == ["a_b", "c_d"]


def test_each_metric_is_documented_once_with_who_tells_it() -> None:
    names = [name for name, _ in ROWS]
    assert len(names) == len(set(names))
    tellers = {
        "millrace_lb": "balancer", "millrace_app": "replica", "millrace_worker": "worker",
        "millrace_scaler": "scaler",
    }  # fmt: skip
    for name, teller in ROWS:
        expected = next(
            (who for prefix, who in tellers.items() if name.startswith(prefix)),
            "worker" if name.startswith("process") else "all four",
        )
        assert teller == expected, name


def test_rules_and_dashboards_ask_for_nothing_else() -> None:
    documented = {name for name, _ in ROWS}
    found = {PARTS.sub("", name) if name not in documented else name for name in asked()}
    assert len(found) > 60
    assert found - documented == set()


def test_each_metric_is_looked_at() -> None:
    documented = {name for name, _ in ROWS}
    found = {PARTS.sub("", name) if name not in documented else name for name in asked()}
    assert documented - found == {
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
        "millrace_app_mode_seconds_total",
        # nothing to see while tracing is off, as it is by default
        "millrace_lb_trace_spans_total",
        "millrace_app_trace_spans_total",
        "millrace_worker_trace_spans_total",
    }


@pytest.mark.parametrize("page", ["monitoring.md", "runbook.md"])
def test_its_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((\w+\.md)(?:#([\w-]+))?\)", (DOCS / page).read_text())
    assert links
    for target, anchor in links:
        text = (DOCS / target).read_text()
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert not anchor or anchor in anchors, (target, anchor)

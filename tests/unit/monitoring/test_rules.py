"""Rules: each alert is tested, explained, and about what there is."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "monitoring"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
FILES = sorted((FOLDER / "rules").glob("*.yml"))
TEST_FILES = sorted((FOLDER / "tests").glob("*.yml"))
RULES: list[dict[str, Any]] = [
    rule
    for path in FILES
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDINGS = {rule["record"]: rule for rule in RULES if "record" in rule}


def cases() -> Iterator[tuple[str, bool]]:
    """Return the alerts that are tested, and whether they fire there."""
    for path in TEST_FILES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                yield case["alertname"], bool(case["exp_alerts"])


def sections() -> dict[str, str]:
    """Return the runbook's sections by their names."""
    _, *parts = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)
    return dict(part.split("\n", 1) for part in parts)


def test_no_name_is_used_twice() -> None:
    names = Counter(rule.get("alert") or rule["record"] for rule in RULES)
    assert [name for name, count in names.items() if count > 1] == []


def test_each_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    tested = set(cases())
    assert {alert for alert, fires in tested if fires} == set(ALERTS)
    assert {alert for alert, fires in tested if not fires} == set(ALERTS)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_each_alert_says_what_it_means_and_where_the_runbook_explains_it(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    section = sections()[name]
    assert f"**Means** ({alert['labels']['severity']}):" in section
    assert "**See**" in section
    assert "**Do**" in section


def test_the_runbook_explains_no_alert_that_is_not_there() -> None:
    assert set(sections()) == set(ALERTS)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(#(\w+)\)", RUNBOOK))))
def test_links_within_the_runbook_lead_somewhere(link: str) -> None:
    assert link in {name.lower() for name in ALERTS}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_each_expression_can_be_parsed(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])


def test_each_recording_is_used() -> None:
    dashboards = [path.read_text() for path in (FOLDER / "grafana" / "dashboards").glob("*.json")]
    texts = "\n".join([*(rule["expr"] for rule in RULES), *dashboards])
    unused = [name for name in RECORDINGS if not re.search(rf"{name}(?![\w:])", texts)]
    assert unused == []


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_promtool_agrees(path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool, which comes with Prometheus, is not installed")
    ran = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_promtool_finds_the_configuration_well_formed() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool, which comes with Prometheus, is not installed")
    for command in (
        ["check", "rules", *map(str, FILES)],
        ["check", "config", "--syntax-only", str(FOLDER / "prometheus.yml")],
    ):
        ran = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr

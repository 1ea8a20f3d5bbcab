"""Events and modes: what the code tells, and what docs/trouble.md says of it, are the same."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import app.events
import cli.supervisor.event_log
import lb.events
import scaler.events
import worker.events
from app.modes import MODES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "trouble.md").read_text()
PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "replica": app.events.EVENTS,
    "worker": worker.events.EVENTS,
    "scaler": scaler.events.EVENTS,
    "balancer": lb.events.EVENTS,
    "`millrace up`": dict.fromkeys(cli.supervisor.event_log.EVENTS.values(), "warning"),
}
LIBRARIES = ("app", "worker", "scaler", "lb", "cli", "tasks", "jobs", "db", "segments")
TELLING = {"emit", "_emit", "on_event", "_on_event", "event"}
DEFINING = {"app/events.py", "worker/events.py", "scaler/events.py", "lb/events.py"}


def documented() -> dict[str, tuple[set[str], set[str]]]:
    """Return who tells of each event, and its levels, as the table of events says."""
    table = TEXT.partition("## Events")[2]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE)
    assert len(rows) == len({name for name, _, _ in rows})
    return {name: (set(who.split(", ")), set(level.split(", "))) for name, who, level in rows}


def sources() -> Iterator[tuple[str, ast.AST]]:
    for room in LIBRARIES:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in DEFINING:
                yield name, ast.parse(path.read_text())


def test_every_event_is_documented_with_who_tells_it_and_how_severe_it_is() -> None:
    told: dict[str, tuple[set[str], set[str]]] = {}
    for program, events in PROGRAMS.items():
        for name, level in events.items():
            who, levels = told.setdefault(name, (set(), set()))
            who.add(program)
            levels.add(level)
    assert documented() == told


def test_no_program_tells_of_what_has_no_name() -> None:
    names = {name for events in PROGRAMS.values() for name in events}
    used = set()
    for where, tree in sources():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            function = call.func
            called = getattr(function, "attr", getattr(function, "id", ""))
            first = call.args[0]
            if called in TELLING and isinstance(first, ast.Constant):
                assert first.value in names, where
                used.add(first.value)
    assert {"backend_ejected", "mode_off", "lease_lapsed", "redis_outage_began"} <= used


def test_every_name_is_used() -> None:
    texts = {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for events in PROGRAMS.values():
        assert set(events) <= texts


def test_every_mode_is_documented() -> None:
    table = TEXT.partition("## Modes")[2].partition("## What clients see")[0]
    assert tuple(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == MODES


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\((\w+\.md)", TEXT))) or ["queue.md"])
def test_its_links_lead_somewhere(name: str) -> None:
    assert (ROOT / "docs" / name).is_file()

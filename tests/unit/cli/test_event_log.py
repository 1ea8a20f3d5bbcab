"""What happens to programs is a line of JSON each, with its count; what was asked for is not."""

import json
from datetime import UTC, datetime
from pathlib import Path

from cli.supervisor.change import Change, State
from cli.supervisor.event_log import EventLog


def test_each_restart_is_one_line_with_its_cause_and_count(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "up.log", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for state in State:
        log.note(Change("app-1", state, detail="ended by signal 9"))
    log.note(Change("worker-1", State.WAITING, detail="exit code 1"))
    lines = [json.loads(line) for line in (tmp_path / "up.log").read_text().splitlines()]
    assert [(line["event"], line["program"], line["count"]) for line in lines] == [
        ("process_unhealthy", "app-1", 1),
        ("process_restarted", "app-1", 1),
        ("process_given_up", "app-1", 1),
        ("process_restarted", "worker-1", 2),
    ]
    assert lines[0]["cause"] == "ended by signal 9"
    assert lines[0]["timestamp"] == "2026-01-01T00:00:00+00:00"


def test_a_folder_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "gone" / "up.log")
    log.note(Change("app-1", State.FAILED))
    assert list(tmp_path.iterdir()) == []

"""Logs are shown as they grow: whole lines, new files and rotated ones too, nothing old."""

import time
from pathlib import Path
from typing import BinaryIO

import pytest

from cli.log_follower import LogFollower
from cli.supervisor.log_files import rotate


def until(shown: list[str], count: int) -> None:
    end = time.monotonic() + 30
    while len(shown) < count:
        assert time.monotonic() < end, shown
        time.sleep(0.01)


def test_new_lines_of_every_log_are_shown_once_with_their_program(tmp_path: Path) -> None:
    shown: list[str] = []
    old = tmp_path / "lb.log"
    old.write_text("from an earlier run\n")
    follower = LogFollower(tmp_path, shown.append)
    follower.start()
    with old.open("a") as lb, (tmp_path / "app-1.log").open("w") as app:
        lb.write("listening\nhalf a ")
        lb.flush()
        until(shown, 1)
        app.write("ready\n")
        app.flush()
        until(shown, 2)
        lb.write("line\n")
    rotate(old, limit_bytes=1)
    old.write_text("after rotation\n")
    until(shown, 4)
    follower.stop()
    parts = [line.split("|") for line in shown]
    assert [(name.strip(), text.strip()) for name, text in parts] == [
        ("lb", "listening"), ("app-1", "ready"), ("lb", "half a line"), ("lb", "after rotation"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_written_just_before_a_rotation_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    shown: list[str] = []
    log = tmp_path / "lb.log"
    log.touch()
    follower = LogFollower(tmp_path, shown.append)
    read = follower._read

    def read_and_rotate(path: Path, file: BinaryIO) -> None:
        read(path, file)
        if not (tmp_path / "lb.log.1").exists():
            log.write_text("late\n")
            rotate(log, limit_bytes=1)
            if is_there:
                log.write_text("new\n")

    monkeypatch.setattr(follower, "_read", read_and_rotate)
    follower._look()
    log.write_text("new\n")
    follower.start()
    follower.stop()
    assert [line.split("| ")[1] for line in shown] == ["late", "new"]

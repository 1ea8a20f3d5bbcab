"""Where the drill refuses, before it has touched anything."""

from pathlib import Path

from click.testing import CliRunner

from cli.drill.command import drill
from cli.faults.catalogue import DrillRefused
from cli.supervisor.run_file import DrillRecord, FolderLock, RunFile

URLS = ("postgresql:///nowhere?host=/nonexistent", "unix:///nonexistent/valkey.sock")


def refused(folder: Path, *options: str) -> BaseException:
    result = CliRunner().invoke(drill, ["--data", str(folder), *options])
    assert result.exception is not None
    return result.exception


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert isinstance(error, DrillRefused)
    assert "millrace up --drill" in str(error)


def test_a_stack_that_was_not_started_to_be_harmed_is_left_alone(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        RunFile(tmp_path).publish(database_url=URLS[0], redis_url=URLS[1])
        error = refused(tmp_path)
    assert isinstance(error, DrillRefused)
    assert "not started to be harmed" in str(error)


def test_a_fault_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    record = DrillRecord(str(tmp_path / "control"), "http://127.0.0.1:1", "http://127.0.0.1:1")
    with FolderLock(tmp_path):
        RunFile(tmp_path).publish(database_url=URLS[0], redis_url=URLS[1], drill=record)
        arguments = ["--data", str(tmp_path), "--faults", "kill-worker,kill-time"]
        result = CliRunner().invoke(drill, arguments)
    assert result.exit_code == 2
    assert "there is no kill-time" in result.output
    assert "wipe-redis" in result.output


def test_repeating_and_a_time_exclude_each_other(tmp_path: Path) -> None:
    arguments = ["--data", str(tmp_path), "--repeat", "2", "--minutes", "1"]
    result = CliRunner().invoke(drill, arguments)
    assert result.exit_code == 2
    assert "--repeat ends by itself" in result.output

"""The supervisor, over toy programs."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cli.errors import DataFolderInUse, DidNotStart
from cli.supervisor.change import State
from cli.supervisor.leftovers import end_leftovers
from cli.supervisor.process import is_running, members_of
from cli.supervisor.run_file import FolderLock, Record, RunFile, is_locked
from cli.supervisor.supervisor import Stopped
from tests.integration.cli.conftest import BROKEN, DEAF, GOOD, Toys, until


def test_a_killed_program_is_started_again(toys: Toys) -> None:
    toys.supervisor.add(toys.program("worker"))
    toys.supervisor.wait_healthy(["worker"], 60)
    first = toys.supervisor.pid("worker")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: toys.states("worker").count(State.HEALTHY) >= 2)
    assert toys.supervisor.pid("worker") not in {None, first}
    assert State.WAITING in toys.states("worker")


def test_a_program_that_cannot_start_is_given_up_with_the_end_of_its_log(toys: Toys) -> None:
    toys.supervisor.add(toys.program("lb", BROKEN))
    with pytest.raises(DidNotStart, match="no such setting: colour"):
        toys.supervisor.wait_healthy(["lb"], 60)
    assert toys.states("lb").count(State.STARTING) == 5


def test_a_program_that_is_not_healthy_in_time_is_named(toys: Toys) -> None:
    toys.supervisor.add(toys.program("app", "import signal; signal.pause()"))
    with pytest.raises(DidNotStart, match=r"app was not healthy within 0 s"):
        toys.supervisor.wait_healthy(["app"], 0.2)


def test_higher_ranks_have_ended_before_lower_ones_are_asked_to(toys: Toys) -> None:
    names = {"postgres": 0, "worker": 2, "app": 3, "lb": 4}
    for name, rank in names.items():
        toys.supervisor.add(toys.program(name, rank=rank))
    toys.supervisor.wait_healthy(names, 60)
    toys.supervisor.stop()
    ends = [c for c in toys.changes if c.state in {State.STOPPING, State.STOPPED}]
    assert [(c.name, c.state) for c in ends] == [
        (name, state)
        for name in ("lb", "app", "worker", "postgres")
        for state in (State.STOPPING, State.STOPPED)
    ]
    assert all("exit code 0" in c.detail for c in ends if c.state is State.STOPPED)


def test_a_program_deaf_to_its_signal_is_killed_at_its_limit(toys: Toys) -> None:
    toys.supervisor.add(toys.program("app", DEAF, stop_limit_s=0.1))
    toys.supervisor.wait_healthy(["app"], 60)
    pid = toys.supervisor.pid("app")
    toys.supervisor.stop()
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert "SIGKILL" in toys.changes[-1].detail


def test_a_hurried_stop_waits_for_no_limit(toys: Toys) -> None:
    toys.supervisor.add(toys.program("app", DEAF, stop_limit_s=3600))
    toys.supervisor.wait_healthy(["app"], 60)
    toys.supervisor.hurry()
    toys.supervisor.stop()
    assert toys.states("app")[-1] is State.STOPPED


def test_the_children_of_a_killed_program_end_before_it_is_started_again(toys: Toys) -> None:
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import signal; signal.pause()'])\n"
        "open(sys.argv[1] + '.child', 'w').write(str(child.pid))\n" + GOOD
    )
    toys.supervisor.add(toys.program("app", parent))
    toys.supervisor.wait_healthy(["app"], 60)
    child = int((toys.folder / "app.ready.child").read_text())
    pid = toys.supervisor.pid("app")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: toys.states("app").count(State.HEALTHY) >= 2)
    assert not psutil.pid_exists(child) or not is_running(psutil.Process(child))


def test_programs_can_be_added_and_removed_while_others_run(toys: Toys) -> None:
    toys.supervisor.add(toys.program("worker-1"))
    toys.supervisor.wait_healthy(["worker-1"], 60)
    toys.supervisor.add(toys.program("worker-2"))
    toys.supervisor.wait_healthy(["worker-2"], 60)
    toys.supervisor.remove("worker-1")
    assert toys.supervisor.names() == ["worker-2"]
    assert toys.states("worker-1")[-1] is State.STOPPED
    assert toys.states("worker-2")[-1] is State.HEALTHY
    with pytest.raises(ValueError, match="running already"):
        toys.supervisor.add(toys.program("worker-2"))


def test_a_start_that_is_called_off_stops_waiting_and_starts_nothing_more(toys: Toys) -> None:
    toys.supervisor.add(toys.program("app", "import signal; signal.pause()"))
    toys.supervisor.call_off()
    with pytest.raises(Stopped):
        toys.supervisor.wait_healthy(["app"], 60)
    with pytest.raises(Stopped):
        toys.supervisor.add(toys.program("lb"))


def test_programs_that_no_longer_answer_their_probe_are_shown_as_unhealthy(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.supervisor.keeper.PROBE_EVERY_S", 0.01)
    monkeypatch.setattr("cli.supervisor.keeper.RESTART_UNHEALTHY_AFTER_S", 0.2)
    program = toys.program("app")
    well = {"app": False}
    object.__setattr__(program, "is_alive", lambda: well["app"])
    toys.supervisor.add(program)
    until(lambda: toys.states("app").count(State.HEALTHY) >= 2)
    assert State.UNHEALTHY in toys.states("app")
    well["app"] = True


def test_what_a_killed_supervisor_left_is_ended_by_the_next(tmp_path: Path) -> None:
    supervisor = f"""
import sys, pathlib, signal
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.integration.cli.conftest import Toys
toys = Toys(pathlib.Path(sys.argv[1]))
for name, rank in (("postgres", 0), ("app", 3)):
    toys.supervisor.add(toys.program(name, rank=rank))
toys.supervisor.wait_healthy(["postgres", "app"], 60)
print("up", flush=True)
signal.pause()
"""
    argv = [sys.executable, "-c", supervisor, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.kill()
    records = RunFile(tmp_path).read().programs
    assert {record.name for record in records} == {"postgres", "app"}
    assert all(psutil.pid_exists(record.pid) for record in records)
    said: list[str] = []
    assert end_leftovers(records, said.append) == 2
    assert "app" in said[0]
    assert "postgres" in said[1]
    assert not any(members_of(record.pid) for record in records)
    assert end_leftovers(records, said.append) == 0


def test_a_process_that_is_not_the_one_on_record_is_left_alone() -> None:
    argv = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
    with subprocess.Popen(argv, start_new_session=True) as stranger:
        began_at = psutil.Process(stranger.pid).create_time()
        own = Record("app", stranger.pid, began_at, argv, sys.executable, 0, signal.SIGTERM)
        other_time = replace(own, began_at=began_at - 60)
        other_command = replace(own, argv=["x", "y"], file="/usr/bin/other")
        try:
            assert end_leftovers([other_time, other_command], print) == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_folder_is_for_one_at_a_time_and_its_lock_leaves_no_file(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(DataFolderInUse, match=rf"pid {os.getpid()}"), FolderLock(tmp_path):
            pass
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text('{"programs": [{"name"')
    assert RunFile(tmp_path).read().programs == []

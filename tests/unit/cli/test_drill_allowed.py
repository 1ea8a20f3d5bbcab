"""Harm is done only to a stack that was started to be harmed, and that brought its servers."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.faults.stack import DrillRefused, Stack
from cli.supervisor.run_file import DrillRecord, FolderLock, RunFile
from cli.up import up

DATABASE, REDIS = "postgresql:///x", "unix:///x"


def test_where_nothing_runs_there_is_nothing_to_harm(tmp_path: Path) -> None:
    with pytest.raises(DrillRefused, match="No millrace runs"):
        Stack.of(tmp_path)


def test_a_stack_that_was_not_started_to_be_harmed_is_refused(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        RunFile(tmp_path).publish(database_url=DATABASE, redis_url=REDIS)
        with pytest.raises(DrillRefused, match="stop it, then millrace up --drill"):
            Stack.of(tmp_path)


def test_a_stack_that_may_be_harmed_says_so_until_it_ends(tmp_path: Path) -> None:
    drill = DrillRecord("/x/control", "http://127.0.0.1:1", "http://127.0.0.1:2")
    with FolderLock(tmp_path):
        RunFile(tmp_path).publish(database_url=DATABASE, redis_url=REDIS, drill=drill)
        with Stack.of(tmp_path) as stack:
            assert (stack.address, stack.admin_address) == (drill.address, drill.admin_address)
            assert stack.run().drill == drill
    with pytest.raises(DrillRefused, match="No millrace runs"):
        Stack.of(tmp_path)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://u@127.0.0.1:1/db"),
        ("REDIS_URL", "redis://127.0.0.1:1/0"),
        ("MILLRACE_REPLICA_URLS", "postgresql://u@127.0.0.1:1/db postgresql://u@127.0.0.1:2/db"),
        ("MILLRACE_READER_URL", "postgresql://r@127.0.0.1:1/db"),
    ],
)
def test_servers_that_are_not_its_own_are_never_harmed(tmp_path: Path, name: str, url: str) -> None:
    data = tmp_path / "data"
    done = CliRunner().invoke(up, ["--drill", "--data", str(data)], env={name: url})
    assert done.exit_code == 2
    assert f"Unset {name}" in done.output
    assert not data.exists()

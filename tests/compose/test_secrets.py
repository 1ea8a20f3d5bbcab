"""scripts/secrets.sh: made once, kept, closed to others."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from tests.compose.compose_file import ROOT, document

SCRIPT = ROOT / "scripts" / "secrets.sh"


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), str(folder)], check=False, capture_output=True, text=True
    )


def contents(folder: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in folder.iterdir()}


def test_each_secret_of_the_compose_file_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert run(folder).returncode == 0
    wanted = {Path(of["file"]).name for of in document()["secrets"].values()}
    found = contents(folder)
    assert found.keys() == wanted
    of_exporter = json.loads(found.pop("redis_exporter_passwords.json"))
    assert of_exporter == {"redis://redis:6379": found["redis_password"].strip()}
    assert all(len(one) == 41 and one[:40].isalnum() for one in found.values())
    assert len(set(found.values())) == len(found)


def test_nobody_else_may_enter_and_containers_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    run(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o444}


def test_what_is_there_stays(tmp_path: Path) -> None:
    run(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "admin_token").unlink()
    done = run(tmp_path)
    after = contents(tmp_path)
    assert done.stdout.endswith(": admin_token\n")
    assert before.pop("admin_token") != after.pop("admin_token")
    assert after == before
    assert "secrets are there" in run(tmp_path).stdout


def test_the_exporters_list_follows_a_changed_password(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "redis_password").chmod(0o600)
    (tmp_path / "redis_password").write_text("another\n")
    assert run(tmp_path).returncode == 0
    assert "another" in (tmp_path / "redis_exporter_passwords.json").read_text()


@pytest.mark.parametrize("name", ["db_password", "redis_exporter_passwords.json"])
def test_a_folder_that_docker_made_in_its_place_gives_way(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert run(tmp_path).returncode == 0
    assert (tmp_path / name).is_file()
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    (tmp_path / name / "something").touch()
    done = run(tmp_path)
    assert done.returncode == 1
    assert "is a folder, and must be a file" in done.stderr

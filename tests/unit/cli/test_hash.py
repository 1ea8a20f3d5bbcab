"""`millrace hash`: files and pipes in, lists out, and lists checked."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import HashMismatch, HashRefused
from cli.hash import hash_command
from cli.hashing import lists
from hashing.digester import Digester
from hashing.registry import REGISTRY


def run(*arguments: object, given: bytes = b"") -> Result:
    return CliRunner().invoke(hash_command, [str(one) for one in arguments], input=given)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a file"
    file.write_bytes(bytes(range(256)) * 10_000)
    return file


def test_a_file_is_hashed_as_sha256sum_does(file: Path) -> None:
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("sha256sum is not installed")
    expected = subprocess.run([program, str(file)], capture_output=True, check=True, text=True)
    result = run(file)
    assert (result.exit_code, result.output) == (0, expected.stdout)


def test_standard_input_is_hashed_without_a_file_and_for_a_dash() -> None:
    expected = f"{hashlib.sha256(b'abc').hexdigest()}  -\n"
    assert run(given=b"abc").output == expected
    assert run("-", given=b"abc").output == expected


def test_several_algorithms_are_tagged_as_bsd_does(file: Path) -> None:
    result = run("-a", "md5", "-a", "blake3", file)
    data = file.read_bytes()
    blake3 = Digester({}).digest("blake3", data).hex()
    assert result.output.splitlines() == [
        f"md5 ({file}) = {hashlib.md5(data).hexdigest()}",
        f"blake3 ({file}) = {blake3}",
    ]


def test_json_has_a_line_a_file(file: Path, tmp_path: Path) -> None:
    result = run("--output", "json", file, tmp_path / "missing")
    first, second = map(json.loads, result.stdout.splitlines()[:2])
    assert first["size_bytes"] == 2_560_000
    assert first["digests"] == {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert second["error"] == "No such file or directory"
    assert isinstance(result.exception, HashMismatch)
    assert result.exception.exit_code == 1


def test_a_table_holds_whole_digests(file: Path) -> None:
    result = run("--output", "table", "-a", "sha512", file)
    assert hashlib.sha512(file.read_bytes()).hexdigest() in result.output
    assert "2,560,000" in result.output


@pytest.mark.parametrize("algorithms", [("sha256",), ("sha512_256", "crc32c", "sha3_256")])
def test_what_is_written_checks(file: Path, tmp_path: Path, algorithms: tuple[str, ...]) -> None:
    names = [part for name in algorithms for part in ("-a", name)]
    noted = tmp_path / "list"
    noted.write_text(run(*names, file).output)
    result = run("--check", noted)
    assert (result.exit_code, result.output) == (0, f"{file}: OK\n" * len(algorithms))
    assert run("--check", "--quiet", noted).output == ""
    file.write_bytes(b"changed")
    result = run("--check", "--output", "json", noted)
    assert isinstance(result.exception, HashMismatch)
    answers: list[Any] = [json.loads(line) for line in result.output.splitlines()]
    assert [(one["algorithm"], one["ok"]) for one in answers] == [(n, False) for n in algorithms]


def test_lists_of_the_systems_programs_are_read(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    noted = tmp_path / "list"
    noted.write_text(
        f"SHA512/256 ({file}) = {Digester({}).digest('sha512_256', data).hex()}\n"
        f"SHA3-256 ({file}) = {hashlib.sha3_256(data).hexdigest()}\n"
        f"BLAKE2b ({file}) = {hashlib.blake2b(data).hexdigest()}\n"
        f"{hashlib.md5(data).hexdigest().upper()} *{file}\n"
    )
    result = run("--check", "-a", "md5", noted)
    assert (result.exit_code, result.output) == (0, f"{file}: OK\n" * 4)


def test_a_missing_file_fails_the_check_and_the_others_go_on(file: Path) -> None:
    text = f"{hashlib.sha256(b'').hexdigest()}  missing\n{run(file).output}"
    result = run("--check", given=text.encode())
    assert isinstance(result.exception, HashMismatch)
    assert "1 of 2" in str(result.exception)
    assert f"{file}: OK" in result.output


def test_lines_that_cannot_be_read_are_told(file: Path) -> None:
    result = run("--check", given=f"nonsense\n\n{run(file).output}".encode())
    assert isinstance(result.exception, HashRefused)
    assert "1 lines" in str(result.exception)
    assert isinstance(run("--check", given=b"nonsense\n").exception, HashRefused)


@pytest.mark.parametrize("arguments", [("-a", "sha257"), ("--check", "-a", "md5", "-a", "sha1")])
def test_a_command_that_makes_no_sense_ends_with_2(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    code = result.exception.exit_code if isinstance(result.exception, HashRefused) else None
    assert (code or result.exit_code) == 2


@given(
    name=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1),
    algorithm=st.sampled_from(sorted(REGISTRY)),
    tagged=st.booleans(),
)
def test_any_name_of_a_file_survives_a_list(name: str, algorithm: str, tagged: bool) -> None:
    digest = bytes(REGISTRY[algorithm].digest_bytes)
    line = lists.write(name, algorithm, digest, tagged=tagged)
    assert list(lists.read([line + "\n"], algorithm)) == [lists.Noted(name, algorithm, digest)]

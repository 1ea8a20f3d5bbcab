"""`millrace jobs` on the command line, against a replica."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.api.client import ApiClient, ApiFailed, ApiRefused
from cli.api.job_events import JobEvents
from cli.errors import CommandError
from cli.jobs import JobNotDone
from cli.main import millrace
from tests.integration.app.conftest import wait_until
from tests.integration.app.jobs.conftest import Desk


def run(desk: Desk, *arguments: str, given: str | None = None) -> Result:
    """Run the command; an error of ours is in the result's exception."""
    return CliRunner().invoke(
        millrace, ["jobs", "--url", str(desk.http.base_url), *arguments], input=given
    )


def ran(desk: Desk, *arguments: str, given: str | None = None) -> str:
    """Run the command, which succeeds; return what it printed."""
    result = run(desk, *arguments, given=given)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_a_job_is_submitted_followed_and_read(desk: Desk, tmp_path: Path) -> None:
    job = json.dumps({"kind": "written", "parameters": {"tasks": [3, 4]}})
    done = json.loads(ran(desk, "submit", "-", "--follow", "--output", "json", given=job))
    assert (done["state"], done["progress"]["rows"]) == ("done", 7)
    to = tmp_path / "rows.csv"
    ran(desk, "result", done["id"], "--to", str(to))
    assert to.read_text() == desk.http.get(f"/v1/jobs/{done['id']}/result?format=csv").text
    assert list(tmp_path.iterdir()) == [to]
    ndjson = ran(desk, "result", done["id"], "--format", "ndjson").splitlines()
    assert json.loads(ndjson[-1])["complete"]
    assert ran(desk, "errors", done["id"]) == "row\n"
    assert done["id"] in ran(desk, "list", "--kind", "written", "--state", "done")
    assert "written" in ran(desk, "show", done["id"])
    log = ran(desk, "log", done["id"])
    assert "the plan says so" in log
    lines = ran(desk, "log", done["id"], "--task", "1", "--output", "json").splitlines()
    assert {json.loads(line)["task"] for line in lines} == {1}
    ran(desk, "forget", done["id"])
    gone = run(desk, "show", done["id"])
    assert isinstance(gone.exception, ApiRefused)
    assert (gone.exception.status, gone.exception.exit_code) == (404, 1)


def test_a_file_goes_with_its_job_once_for_a_key(desk: Desk, tmp_path: Path) -> None:
    job, file = tmp_path / "job.json", tmp_path / 'a "b".csv'
    job.write_text(json.dumps({"kind": "written", "parameters": {"tasks": [1]}}))
    file.write_bytes(b"x" * 3_000_000)
    arguments = ("submit", str(job), "--file", str(file), "--key", "command-line-1")
    first, again = (ran(desk, *arguments).strip() for _ in range(2))
    assert first == again
    assert desk.wait(f"/v1/jobs/{first}")["summary"] == {"source_bytes": 3_000_000}


def test_a_job_that_fails_ends_the_command_with_an_error(desk: Desk) -> None:
    job = json.dumps({"kind": "written", "parameters": {"tasks": [1, 1], "broken": 2}})
    result = run(desk, "submit", "-", "--follow", given=job)
    assert isinstance(result.exception, JobNotDone)
    assert result.exception.exit_code == 1
    job_id = result.exception.args[0].split()[2]
    assert "BrokenRow" in ran(desk, "dead-letters", "--job", job_id)
    assert "row # is broken" in ran(desk, "dead-letters", "--job", job_id, "--causes")
    assert "row # is broken" in ran(desk, "replay", "--job", job_id, "--dry-run")
    assert ran(desk, "replay", "--job", job_id) == "1 tasks run again\n"
    desk.wait(f"/v1/jobs/{job_id}")
    assert json.loads(ran(desk, "retry", job_id, "--output", "json"))["replayed"] == 0


def test_a_job_is_paused_resumed_and_cancelled(desk: Desk) -> None:
    job_id = desk.submit(tasks=[1], slow=1).rpartition("/")[2]
    assert ran(desk, "pause", job_id) == f"{job_id} paused\n"
    assert ran(desk, "resume", job_id).split()[1] in ("queued", "running")
    assert ran(desk, "cancel", job_id) == f"{job_id} cancelled\n"
    result = run(desk, "follow", job_id)
    assert isinstance(result.exception, JobNotDone)
    refused = run(desk, "result", job_id)
    assert isinstance(refused.exception, ApiRefused)
    assert ran(desk, "result", job_id, "--partial") == "row,value\n"


@pytest.mark.parametrize("given", ["{", "[]"])
def test_a_job_that_is_none_is_a_wrong_use(desk: Desk, given: str) -> None:
    result = run(desk, "submit", "-", given=given)
    assert isinstance(result.exception, CommandError)
    assert result.exception.exit_code == 2
    assert run(desk, "replay").exit_code == 2


class CuttingProxy:
    """Passes one connection after the other on, and cuts each after so many bytes of answer."""

    def __init__(self, port: int, length: int) -> None:
        self._port = port
        self._length = length
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._port)) as server:
                # else the replica would keep the connection, and there would be no end to see
                head = client.recv(65536)
                server.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                left = self._length
                while left and (data := server.recv(left)):
                    client.sendall(data)
                    left -= len(data)
                self.cuts += not left

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def proxy(desk: Desk) -> Iterator[CuttingProxy]:
    """A proxy whose connections end after 2,500 bytes."""
    port = desk.http.base_url.port
    assert port is not None
    proxy = CuttingProxy(port, 2500)
    yield proxy
    proxy.close()


def test_following_misses_nothing_over_a_line_that_breaks(desk: Desk, proxy: CuttingProxy) -> None:
    place = desk.submit("programmed", tasks=[{"transient": 1}] * 30)
    desk.wait(place)
    with desk.watching(place):  # there is room for streams
        pass
    events = JobEvents(ApiClient(proxy.url, None), pause=lambda _: None)
    seen = [event.id for event in events.follow(place.rpartition("/")[2]) if event.id]
    lines: list[dict[str, Any]] = desk.http.get(f"{place}/log?limit=500").json()["lines"]
    assert seen == [line["id"] for line in lines]
    assert proxy.cuts > 1


def test_following_looks_now_and_then_where_no_stream_is_to_be_had(desk: Desk) -> None:
    place = desk.submit(tasks=[1], slow=1)
    states: list[str] = []
    events = JobEvents(ApiClient(str(desk.http.base_url), None))
    with ExitStack() as streams:
        for _ in range(3):
            streams.enter_context(desk.watching(place))
        for event in events.follow(place.rpartition("/")[2]):
            if event.name == "progress":
                states.append(event.data["state"])
                desk.http.delete(place)
    assert states[-1] == "cancelled"


def test_an_api_that_is_away_is_said_to_be(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    tries: list[float] = []
    with pytest.raises(ApiFailed, match="refused"):
        list(JobEvents(ApiClient(url, None), pause=tries.append).follow("x"))
    assert len(tries) == 29
    with pytest.raises(ApiFailed, match="no http"):
        ApiClient("ftp://x", None)
    wait_until(lambda: desk.http.get("/health/live").status_code == 200, "the replica is there")

"""Rows/s of the job `hash_rows` beside a loop over the same file in one process, in one run.

    python bench/jobs/hash_rows.py [--url http://127.0.0.1:8080] [--data .millrace] [--rows 5000000]
        [--kill-worker-every 5] [--kill-replica]

Needs a running stack, whose data folder is `--data`.  Makes a CSV with quoted line ends, UTF-8,
empty cells and a few broken rows; hashes it by csv and hashlib in this process; sends it to the
balancer in parts, going on where it was when one breaks; waits for the job, and compares its result
with the loop's row by row.  Prints rows/s of both and the most memory that any replica and any
worker had.  Ends with 1 when a row differs.
"""

import argparse
import base64
import csv
import hashlib
import http.client
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cli.supervisor.run_file import Record, RunFile

HEADER = ["id", "name", "city", "note", "amount", "at"]
# what is wrong with a row, by where in the file it is
BROKEN = {
    0.1: b"17,too few\n",
    0.3: b'18,a,b,thr"ee,5,6\n',
    0.5: b'19,a,b,"five"x,5,6\n',
    0.7: b"20,\xff\xfe,b,c,5,6\n",
    0.9: b"21,1,2,3,4,5,6,7\n",
}
NAMES = ["Ann Lee", "Jürgen Groß", "Zoë", "李雷", "Mara", "Žofie", "Nikos Παππάς"]
CITIES = ["Köln", "Paris", "", "São Paulo", "Warszawa"]
PART_BYTES = 64 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
LOOK_S = 0.2


def make_file(path: Path, rows: int) -> set[int]:
    """Write the file; return the numbers of its broken rows."""
    broken = {int(rows * share) + 1: line for share, line in BROKEN.items()}
    chance = random.Random(1)
    words = ["alpha", "beta", "gamma delta", "epsilon", "zeta eta theta", "iota", "kappa lambda"]
    notes = [" ".join(chance.choices(words, k=chance.randint(1, 9))) for _ in range(1000)]
    notes += [f'two\nlines of "{note}", quoted' for note in notes[:80]] + [""] * 150
    with path.open("w", encoding="utf-8", newline="") as text:
        write = csv.writer(text, lineterminator="\n").writerow
        write(HEADER)
        for row in range(1, rows + 1):
            if row in broken:
                text.flush()
                text.buffer.write(broken[row])
                continue
            at = f"2024-01-{row % 28 + 1:02d}T{row % 24:02d}:00:00Z"
            cells = [NAMES[row % 7], CITIES[row % 5], chance.choice(notes), f"{row / 7:.2f}", at]
            write([row, *cells])
    return set(broken)


def loop(path: Path, expected: Path, broken: set[int]) -> float:
    """Hash every row in this process; return the seconds it took."""
    began = time.perf_counter()
    with (
        path.open(encoding="utf-8", errors="surrogateescape", newline="") as text,
        expected.open("w") as out,
    ):
        reader = csv.reader(text, strict=True)
        next(reader)
        sha256, row = hashlib.sha256, 0
        head = b"\x01" + len(HEADER).to_bytes(4, "big")
        while True:
            row += 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error:
                continue
            if row in broken:
                continue
            value = head
            for cell in cells:
                content = cell.encode()
                value += b"\x06" + len(content).to_bytes(8, "big") + content
            out.write(f"{row},{sha256(value).hexdigest()}\n")
    return time.perf_counter() - began


class Stack:
    """The programs of a running stack, by its run file."""

    def __init__(self, data: Path) -> None:
        self._file = RunFile(data)

    def programs(self, kind: str) -> list[Record]:
        """Return those that run now."""
        return [one for one in self._file.read().programs if one.name.startswith(kind)]

    def busy_s(self, kind: str) -> dict[str, float]:
        """Return the CPU seconds of each of these programs so far, by name."""
        spent = {}
        for record in self.programs(kind):
            with suppress(psutil.Error):
                process = psutil.Process(record.pid)
                times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
                spent[record.name] = sum(one.user + one.system for one in times)
        return spent

    def kill(self, kind: str, name: str | None = None) -> str:
        """End one of these programs, with all its processes, without a word."""
        record = random.choice(
            [one for one in self.programs(kind) if name is None or one.name == name]
        )
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.began_at) > 1:
            return f"{record.name} was gone already"
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        return f"killed {record.name}"


class Watch:
    """Looks at the memory of all programs, and kills workers when asked to."""

    def __init__(self, stack: Stack, kill_every_s: float) -> None:
        self._stack = stack
        self._kill_every_s = kill_every_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._look)]
        if kill_every_s:
            self._threads.append(threading.Thread(target=self._kill))
        self.most: dict[str, float] = {"app-": 0.0, "worker-": 0.0}
        self.killed = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        while not self._stop.wait(LOOK_S):
            for kind in self.most:
                for record in self._stack.programs(kind):
                    with suppress(psutil.Error):
                        process = psutil.Process(record.pid)
                        for one in [process, *process.children(recursive=True)]:
                            self.most[kind] = max(self.most[kind], one.memory_info().rss)

    def _kill(self) -> None:
        while not self._stop.wait(self._kill_every_s):
            with suppress(psutil.Error, IndexError):
                print("  ", self._stack.kill("worker-"), flush=True)
                self.killed += 1


class Client:
    """Asks the balancer, over a new connection each time, since one may be cut."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, fields and body of the answer."""
        connection = http.client.HTTPConnection(self._host, timeout=600)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()

    def insist(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Ask until there is an answer; return its document."""
        deadline = time.monotonic() + 60
        headers = {"Content-Type": "application/json"} if body else {}
        while True:
            with suppress(OSError, http.client.HTTPException):
                status, _, found = self.ask(method, path, body, headers)
                if status < 300:
                    document: dict[str, Any] = json.loads(found)
                    return document
                if status < 500 and status != 429:
                    raise SystemExit(f"{method} {path}: {status} {found.decode()}")
            if time.monotonic() > deadline:
                raise SystemExit(f"{method} {path}: no answer within a minute")
            time.sleep(0.2)

    def lines(self, path: str) -> Iterator[bytes]:
        """Yield the lines of an answer as they come."""
        connection = http.client.HTTPConnection(self._host, timeout=600)
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"GET {path}: {response.status} {response.read().decode()}")
        yield from response
        connection.close()


def send(client: Client, path: Path, kill: Stack | None) -> str:
    """Send the file in parts; return the upload's id.

    `kill`: end the replica that receives it, in the middle.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
    created = client.insist("POST", "/v1/uploads")
    place = f"/v1/uploads/{created['id']}"
    offset = breaks = 0
    while True:
        end = min(size, offset + PART_BYTES)
        headers = {"Upload-Offset": str(offset), "Content-Length": str(end - offset)}
        if end == size:
            headers |= {"Upload-Complete": "?1", "Repr-Digest": f"sha-256=:{digest}:"}
        try:
            status, _, body = client.ask("PATCH", place, _part(path, offset, end, kill), headers)
            if status == 200 and end == size:
                break
        except (OSError, http.client.HTTPException):
            status, body = 0, b""
        if status != 200:
            if 400 <= status < 500 and status != 409:
                raise SystemExit(f"PATCH {place}: {status} {body.decode()}")
            breaks += 1
        kill = None if offset > size / 2 else kill
        known = client.insist("GET", place)
        if known["complete"]:
            break
        offset = known["size_bytes"]
    print(f"  sent in parts; {breaks} broke off and were gone on with")
    return str(created["id"])


def _part(path: Path, start: int, end: int, kill: Stack | None) -> Iterator[bytes]:
    size = path.stat().st_size
    before = kill.busy_s("app-") if kill is not None else {}
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            piece = file.read(min(PIECE_BYTES, end - start))
            if kill is not None and start <= size // 2 < start + len(piece):
                spent = {name: s - before.get(name, s) for name, s in kill.busy_s("app-").items()}
                receives = max(spent, key=lambda name: spent[name])
                print("  ", kill.kill("app-", receives), flush=True)
            yield piece
            start += len(piece)


def compare(client: Client, place: str, expected: Path, broken: set[int]) -> int:
    """Return how many rows differ, or are failed and should not be, or the reverse."""
    wrong = 0
    with expected.open("rb") as lines:
        found = client.lines(f"{place}/result?format=csv")
        next(found)
        for line in lines:
            wrong += next(found, b"") != line
        wrong += sum(1 for _ in found)
    errors = {}
    for line in list(client.lines(f"{place}/errors?format=ndjson"))[1:-1]:
        row, number, reason, _ = json.loads(line)
        errors[row] = reason
        print(f"  row {row} in line {number}: {reason}")
    return wrong + len(errors.keys() ^ broken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--data", type=Path, default=Path(".millrace"))
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--kill-worker-every", type=float, default=0.0, metavar="S")
    parser.add_argument("--kill-replica", action="store_true")
    asked = parser.parse_args()
    stack, client = Stack(asked.data), Client(asked.url)
    with tempfile.TemporaryDirectory() as folder:
        path, expected = Path(folder) / "rows.csv", Path(folder) / "expected.csv"
        broken = make_file(path, asked.rows)
        print(f"file: {asked.rows} rows, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        loop_s = loop(path, expected, broken)
        print(f"loop: {loop_s:.1f} s, {asked.rows / loop_s:,.0f} rows/s", flush=True)
        with Watch(stack, asked.kill_worker_every) as watch:
            began = time.perf_counter()
            upload = send(client, path, stack if asked.kill_replica else None)
            sent = time.perf_counter()
            size_mb = path.stat().st_size / 1e6
            print(f"upload: {sent - began:.1f} s, {size_mb / (sent - began):.0f} MB/s", flush=True)
            parameters = {"upload": upload, "format": "csv"}
            job = {"kind": "hash_rows", "parameters": parameters}
            place = f"/v1/jobs/{client.insist('POST', '/v1/jobs', json.dumps(job).encode())['id']}"
            while (state := client.insist("GET", place))["state"] not in ("done", "failed"):
                time.sleep(0.1)
            done = time.perf_counter()
            rate = asked.rows / (done - sent)
            print(f"job: {state['state']} after {done - sent:.1f} s, {rate:,.0f} rows/s")
            print(f"  {state.get('summary') or state.get('error')}; {watch.killed} workers killed")
            print(f"ratio to the loop: {rate * loop_s / asked.rows:.2f}", flush=True)
            if state["state"] == "failed":
                return 1
            wrong = compare(client, place, expected, broken)
            read_s = time.perf_counter() - done
            print(f"result: read and compared in {read_s:.1f} s; {wrong} rows are wrong")
    for kind, most in watch.most.items():
        print(f"most memory of one process of {kind}*: {most / 2**20:.0f} MiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

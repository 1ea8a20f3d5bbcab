"""Checksums and differences of TPC-H's lineitem: seconds, exactness, load on the database.

    pip install tpchgen-cli && tpchgen-cli parquet -s 1 --tables lineitem --output-dir tpch
    python bench/jobs/diff.py http://127.0.0.1:8080 --database-url URL
        --parquet tpch/lineitem.parquet [--reladiff /path/to/python/that/has/it]

Against a running stack (`millrace up`; the balancer's rate limit off), whose database the URL
reaches as its owner.  Loads the table twice, as bench_left and bench_right, unless both are there.
The checksum is measured beside PostgreSQL's own `md5(string_agg(t::text, '' ORDER BY key))`; the
differences beside reladiff (with its own two threads), on the same tables and columns: none, 1,
1,000 scattered ones, and a range of 100,000 rows that is missing on the right.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

LEFT, RIGHT = "bench_left", "bench_right"
KEY = ("l_orderkey", "l_linenumber")
POLL_S = 0.05
SAMPLE_S = 0.2
HELPER = Path(__file__).with_name("reladiff_once.py")

BASELINE = f"SELECT md5(string_agg(t::text, '' ORDER BY {', '.join(KEY)})) FROM {LEFT} t"
ACTIVE = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"


class Load:
    """What the database did meanwhile: busy sessions, and CPU seconds of all its processes."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url) as connection:
            found = connection.execute("SHOW data_directory").fetchone()
        folder = Path(str(found[0] if found else ""))
        self._main = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))

    @contextmanager
    def measured(self, into: dict[str, Any]) -> Iterator[None]:
        """Put seconds, CPU seconds and the busy sessions, on average and at most, into `into`."""
        over = threading.Event()
        counts: list[int] = []

        def sample() -> None:
            with psycopg.connect(self._url, autocommit=True) as connection:
                while not over.wait(SAMPLE_S):
                    row = connection.execute(ACTIVE).fetchone()
                    counts.append(int(row[0]) if row else 0)

        thread = threading.Thread(target=sample)
        began, before = time.perf_counter(), self._cpu_s()
        thread.start()
        try:
            yield
        finally:
            into["seconds"] = round(time.perf_counter() - began, 2)
            into["cpu_s"] = round(self._cpu_s() - before, 2)
            over.set()
            thread.join()
            into["busy_mean"] = round(sum(counts) / max(1, len(counts)), 1)
            into["busy_most"] = max(counts, default=0)

    def _cpu_s(self) -> float:
        # of those that have ended, too: their parent has waited for them
        times = self._main.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        for child in self._main.children(recursive=True):
            try:
                own = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += own.user + own.system
        return float(total)


class Bench:
    """Runs jobs on the stack, and what they are measured beside."""

    def __init__(self, http: httpx.Client, url: str, load: Load) -> None:
        self._http = http
        self._url = url
        self._load = load

    def job(self, kind: str, parameters: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Return what was measured with the job's summary, and its path."""
        row: dict[str, Any] = {}
        with self._load.measured(row):
            response = self._http.post("/v1/jobs", json={"kind": kind, "parameters": parameters})
            response.raise_for_status()
            path = response.headers["Location"]
            while (job := self._http.get(path).json())["state"] not in ("done", "failed"):
                time.sleep(POLL_S)
        if job["state"] == "failed":
            raise SystemExit(f"{path}: {job['error']}")
        return {**row, "summary": job["summary"]}, path

    def baseline(self) -> dict[str, Any]:
        """Return what was measured of PostgreSQL's own way."""
        row: dict[str, Any] = {}
        with psycopg.connect(self._url) as connection, self._load.measured(row):
            connection.execute(BASELINE)  # type: ignore[arg-type]
        return row

    def keys(self, path: str) -> set[tuple[str, ...]]:
        """Return the keys that a job has found to differ."""
        lines = self._http.get(f"{path}/result", headers={"Accept": "application/x-ndjson"}).text
        rows = (json.loads(line) for line in lines.splitlines())
        return {tuple(row[1].values()) for row in rows if isinstance(row, list)}

    def reladiff(self, python: str, columns: list[str]) -> tuple[dict[str, Any], set[Any]]:
        """Return what was measured of reladiff, and the keys that it found."""
        given = conninfo_to_dict(self._url)
        names = ("host", "port", "user", "password", "dbname")
        asked = {
            "database": {name: given[name] for name in names if name in given},
            "tables": [LEFT, RIGHT], "key": KEY, "columns": columns, "threads": 2,
        }  # fmt: skip
        row: dict[str, Any] = {}
        with self._load.measured(row):
            done = subprocess.run(
                [python, str(HELPER), json.dumps(asked)], check=True, capture_output=True, text=True
            )
        told = json.loads(done.stdout.splitlines()[-1])
        return row, {tuple(key) for key in told["keys"]}


def load_tables(url: str, parquet: Path | None) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT to_regclass(%s), to_regclass(%s)", [LEFT, RIGHT])
        if None not in (there.fetchone() or (None,)):
            return
        if parquet is None:
            raise SystemExit("Give --parquet: the tables are not there.")
        command = [sys.executable, "-m", "cli", "load", str(parquet), "--table", LEFT, "--replace"]
        subprocess.run(command, check=True, env={**os.environ, "DATABASE_URL": url})
        for statement in (
            f"DROP TABLE IF EXISTS {RIGHT}",
            f"CREATE TABLE {RIGHT} AS SELECT * FROM {LEFT}",
            *(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(KEY)})" for name in (LEFT, RIGHT)),
            *(f"VACUUM ANALYZE {name}" for name in (LEFT, RIGHT)),
            *(f"GRANT SELECT ON {name} TO millrace_reader" for name in (LEFT, RIGHT)),
        ):
            connection.execute(statement)  # type: ignore[arg-type]


def changes(count: int) -> list[str]:
    """Return statements that change so many scattered rows of the right table."""
    some = f"SELECT {', '.join(KEY)} FROM {LEFT} ORDER BY md5(l_orderkey || '-' || l_linenumber)"
    chosen = f"({', '.join(KEY)}) IN ({some} LIMIT {count})"
    return [f"UPDATE {RIGHT} SET l_comment = l_comment || '!' WHERE {chosen}"]


def missing(count: int) -> list[str]:
    """Return statements that take so many neighbours out of the right table."""
    key = ", ".join(KEY)
    third = f"(SELECT count(*) / 3 FROM {LEFT})"
    some = f"SELECT {key} FROM {LEFT} ORDER BY {key} OFFSET {third} LIMIT {count}"
    return [f"DELETE FROM {RIGHT} WHERE ({key}) IN ({some})"]


def restored() -> list[str]:
    key = ", ".join(KEY)
    differ = (
        f"SELECT l.* FROM {LEFT} l LEFT JOIN {RIGHT} r USING ({key}) WHERE l IS DISTINCT FROM r"
    )
    return [
        f"CREATE TEMP TABLE again AS {differ}",
        f"DELETE FROM {RIGHT} WHERE ({key}) IN (SELECT {key} FROM again)",
        f"INSERT INTO {RIGHT} SELECT * FROM again",
        "DROP TABLE again",
    ]


def apply(url: str, statements: list[str]) -> set[tuple[str, ...]]:
    """Run them; return the keys in which the tables differ then, by PostgreSQL's own account."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]
        connection.execute(f"VACUUM ANALYZE {RIGHT}")  # type: ignore[arg-type]
        key = ", ".join(KEY)
        rows = connection.execute(
            f"SELECT {key} FROM {LEFT} l FULL JOIN {RIGHT} r USING ({key}) "
            "WHERE l IS DISTINCT FROM r"  # type: ignore[arg-type]
        ).fetchall()
        return {tuple(map(str, row)) for row in rows}


def shown(name: str, row: dict[str, Any], extra: str = "") -> None:
    print(
        f"{name:34} {row['seconds']:8.2f} s   {row['cpu_s']:7.2f} CPU s   busy sessions "
        f"{row['busy_mean']} (most {row['busy_most']})  {extra}", flush=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--parquet", type=Path, default=None)
    parser.add_argument("--reladiff", default=None, help="A Python that has reladiff.")
    asked = parser.parse_args()
    load_tables(asked.database_url, asked.parquet)
    apply(asked.database_url, restored())
    with psycopg.connect(asked.database_url) as connection:
        described = connection.execute(f"SELECT * FROM {LEFT} LIMIT 0").description or []
    columns = [column.name for column in described if column.name not in KEY]
    with httpx.Client(base_url=asked.url, timeout=600.0) as http:
        bench = Bench(http, asked.database_url, Load(asked.database_url))
        baseline = bench.baseline()
        shown("md5(string_agg) by PostgreSQL", baseline)
        for algorithm in ("lookup3-128", "sha256-128"):
            row, _ = bench.job("checksum_table", {"table": LEFT, "algorithm": algorithm})
            ratio = baseline["seconds"] / row["seconds"]
            partitions = row["summary"]["partitions"]
            shown(f"checksum_table {algorithm}", row, f"{ratio:.2f}x, {partitions} partitions")
        cases: list[tuple[str, Callable[[], list[str]]]] = [
            ("no difference", list),
            ("1 difference", lambda: changes(1)),
            ("1,000 differences", lambda: changes(1000)),
            ("100,000 rows missing", lambda: missing(100_000)),
        ]
        for name, make in cases:
            expected = apply(asked.database_url, make())
            parameters = {"left": {"table": LEFT}, "right": {"table": RIGHT}, "limit": 1_000_000}
            row, path = bench.job("diff_tables", parameters)
            exact = "exact" if bench.keys(path) == expected else "WRONG"
            shown(f"diff_tables, {name}", row, exact)
            if asked.reladiff is not None:
                other, keys = bench.reladiff(asked.reladiff, columns)
                exact = "exact" if keys == expected else "WRONG"
                ratio = other["seconds"] / row["seconds"]
                shown(f"reladiff, {name}", other, f"{exact}; diff_tables is {ratio:.2f}x as fast")
            apply(asked.database_url, restored())


if __name__ == "__main__":
    main()

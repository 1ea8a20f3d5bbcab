"""TPC-H queries through Millrace and through psql: equal cell for cell, and how long each takes.

Load the tables first, into a running Millrace:

    pip install tpchgen-cli && tpchgen-cli parquet -s 0.1 --output-dir tpch
    for table in lineitem orders customer part partsupp supplier nation region; do
        .venv/bin/millrace load tpch/$table.parquet --table $table; done
    .venv/bin/python bench/tpch/compare.py --database-url 'postgresql://…'

`make up` prints the database's URL.  Start it with MILLRACE_RATE_LIMIT=off.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

QUERIES = Path(__file__).with_name("queries.sql")
NULL = "\x02"
CELL, ROW = "\x1f", "\x1e"


def queries() -> list[str]:
    text = re.sub(r"^--.*\n", "", QUERIES.read_text(), flags=re.MULTILINE)
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def psql(url: str, sql: str, *, types: bool = False) -> list[list[str | None]]:
    """Return psql's cells; with `types`, the columns' names and types instead."""
    argv = [shutil.which("psql") or "psql", "-XqAt", "-d", url, "-v", "ON_ERROR_STOP=1"]
    argv += ["-P", f"null={NULL}", "-F", CELL, "-R", ROW]
    done = subprocess.run(
        argv,
        input=sql + (" \\gdesc\n" if types else ";\n"),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.removesuffix("\n").removesuffix(ROW)
    if not lines:
        return []
    return [
        [None if cell == NULL else cell for cell in line.split(CELL)] for line in lines.split(ROW)
    ]


def iso(text: str | None, type_name: str) -> str | None:
    """Return psql's text of a time as ISO 8601, as JSON answers have it."""
    if text is None or not type_name.startswith("timestamp"):
        return text
    return re.sub(r"([+-]\d\d)$", r"\1:00", text.replace(" ", "T", 1))


def cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return "t" if value is True else "f" if value is False else json.dumps(value)


def ask(client: httpx.Client, sql: str) -> dict[str, Any]:
    response = client.post("/v1/query", json={"sql": sql})
    if response.status_code != 200:
        sys.exit(f"{response.status_code}: {response.text}\n{sql}")
    # numbers stay text, so that no digit is lost in the comparison
    answer: dict[str, Any] = json.loads(response.text, parse_float=str, parse_int=str)
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    client = httpx.Client(base_url=options.url, timeout=60)
    unequal = partitioned = 0
    print(f"{'query':>5} {'mode':12} {'parts':>5} {'rows':>5} {'Millrace':>9} {'psql':>9}  equal")
    for number, sql in enumerate(queries(), start=1):
        ours, theirs = [], []
        for _ in range(options.rounds):
            began = time.perf_counter()
            answer = ask(client, sql)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            rows = psql(options.database_url, sql)
            theirs.append(time.perf_counter() - began)
        columns = psql(options.database_url, sql, types=True)
        types = [str(type_name) for _, type_name in columns]
        rows = [[iso(*pair) for pair in zip(row, types, strict=True)] for row in rows]
        equal = [[cell(value) for value in row] for row in answer["rows"]] == rows
        equal &= [[column["name"], column["type"]] for column in answer["columns"]] == columns
        plan = answer["plan"]
        unequal += not equal
        partitioned += plan["mode"] == "partitioned"
        print(
            f"{number:5} {plan['mode']:12} {plan['fragments']:>5} {len(rows):5} "
            f"{statistics.median(ours) * 1000:6.0f} ms {statistics.median(theirs) * 1000:6.0f} ms  "
            f"{'yes' if equal else 'NO '}    {plan['reason'] if plan['mode'] == 'direct' else ''}"
        )
    print(f"{len(queries())} queries, {partitioned} partitioned, {unequal} unequal")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())

"""Queries through Millrace and through PostgreSQL alone: equal cell for cell, and how long each.

PostgreSQL is asked twice: with one process a query, and with as many as its settings allow.
"""

import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from db.adapters import text_adapters

SESSION = "-c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=iso_8601 -c statement_timeout=120s"
TYPE_NAMES = """
SELECT format_type(t, m) FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(t, m, n) ORDER BY n
"""
Row = tuple[str | None, ...]


@dataclass(frozen=True)
class Side:
    """One side's answer and the median of its times."""

    columns: list[tuple[str, str]]
    rows: list[Row]
    median_ms: float


def read_queries(path: Path, **values: str) -> list[tuple[str, str]]:
    """Return names and texts: one query a paragraph, named by a comment `-- Q1: …` before it."""
    queries: list[tuple[str, str]] = []
    for part in path.read_text().split("\n\n"):
        lines = part.strip().splitlines()
        named = re.match(r"-- (Q\d+)", lines[0]) if lines else None
        sql = "\n".join(line for line in lines if not line.startswith("--"))
        for name, value in values.items():
            sql = sql.replace(f"{{{name}}}", value)
        if sql.strip():
            queries.append((named[1] if named else str(len(queries) + 1), sql))
    return queries


def compare(queries: Sequence[tuple[str, str]], *, url: str, database_url: str, rounds: int) -> int:
    """Print a line for each query and a summary; return how many answers are not equal."""
    verdicts: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    with (
        httpx.Client(base_url=url, timeout=180) as client,
        psycopg.connect(
            database_url, autocommit=True, options=SESSION, context=text_adapters(),
            cursor_factory=psycopg.RawCursor,
        ) as connection,
    ):  # fmt: skip
        workers = connection.execute("SHOW max_parallel_workers_per_gather").fetchone()
        more = workers[0] if workers else "?"
        print(f"medians of {rounds} runs, in ms; parallel: up to {more} more processes a query\n")
        print(
            f"{'query':>6} {'equal':5} {'rows':>6} {'mode':11} {'parts':>5} {'Millrace':>9} "
            f"{'single':>9} {'parallel':>9}  reason"
        )
        for name, sql in queries:
            single = _postgresql(connection, sql, rounds, parallel=False)
            parallel = _postgresql(connection, sql, rounds, parallel=True)
            ours, plan = _millrace(client, sql, rounds)
            verdict = _verdict(ours, single, sql)
            verdicts[verdict] += 1
            modes[plan["mode"]] += 1
            print(
                f"{name:>6} {verdict:5} {len(ours.rows):6} {plan['mode']:11} {plan['fragments']:5} "
                f"{ours.median_ms:9.1f} {single.median_ms:9.1f} {parallel.median_ms:9.1f}  "
                f"{plan['reason']}",
                flush=True,
            )
    print(f"\n{len(queries)} queries: {dict(verdicts)}, {dict(modes)}")
    return verdicts["NO"]


def _verdict(ours: Side, theirs: Side, sql: str) -> str:
    """Tell "yes", "NO", or "ties": equal rows, in another order where sort keys are equal."""
    if ours.columns != theirs.columns:
        return "NO"
    if ours.rows == theirs.rows:
        return "yes"
    if Counter(ours.rows) != Counter(theirs.rows):
        return "NO"
    return "ties" if "ORDER BY" in sql.rpartition(")")[2] else "yes"


def _timed(run: Callable[[], None], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _postgresql(
    connection: psycopg.Connection[Any], sql: str, rounds: int, *, parallel: bool
) -> Side:
    connection.execute(
        "RESET max_parallel_workers_per_gather"
        if parallel
        else "SET max_parallel_workers_per_gather = 0"
    )
    cursor = connection.cursor()
    rows: list[Row] = []

    def run() -> None:
        cursor.execute(sql.encode())
        rows[:] = cursor.fetchall()

    median_ms = _timed(run, rounds)
    described = cursor.description or []
    oids = "{" + ",".join(str(column.type_code) for column in described) + "}"
    result = cursor.pgresult
    assert result is not None
    modifiers = "{" + ",".join(str(result.fmod(i)) for i in range(result.nfields)) + "}"
    types = [str(name) for (name,) in connection.execute(TYPE_NAMES, [oids, modifiers])]
    columns = list(zip([column.name for column in described], types, strict=True))
    return Side(columns, [iso_times(row, types) for row in rows], median_ms)


def iso_times(row: Row, types: Sequence[str]) -> Row:
    """Return PostgreSQL's texts of times as ISO 8601, as JSON answers have them."""
    return tuple(
        re.sub(r"([+-]\d\d)$", r"\1:00", text.replace(" ", "T", 1))
        if text is not None and name.startswith("timestamp")
        else text
        for text, name in zip(row, types, strict=True)
    )


def _millrace(client: httpx.Client, sql: str, rounds: int) -> tuple[Side, dict[str, Any]]:
    answer: dict[str, Any] = {}

    fresh = {"Cache-Control": "no-cache"}  # the answering is measured, not the remembering

    def run() -> None:
        response = client.post("/v1/query", json={"sql": sql}, headers=fresh)
        if response.status_code != 200:
            raise SystemExit(f"{response.status_code}: {response.text}\n{sql}")
        # numbers stay text, so that no digit is lost in the comparison
        answer.update(json.loads(response.text, parse_float=str, parse_int=str))

    median_ms = _timed(run, rounds)
    columns = [(column["name"], column["type"]) for column in answer["columns"]]
    plan = answer["plan"] | {"fragments": int(answer["plan"]["fragments"])}
    rows = [tuple(value_text(value) for value in row) for row in answer["rows"]]
    return Side(columns, rows, median_ms), plan


def value_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return "t" if value is True else "f" if value is False else json.dumps(value)

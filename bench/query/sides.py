"""What is compared: PostgreSQL by itself, Millrace in its modes, and DuckDB by itself."""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import psycopg
import sqlglot

from bench.queries.side_by_side import TYPE_NAMES, iso_times, value_text
from bench.query.answers import Answer, Row
from bench.query.segments import SegmentFile
from db.adapters import text_adapters

SESSION = "-c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=iso_8601"


class Refused(Exception):
    """This side does not run the query, or not in this way; the message says why."""


class TooLong(Exception):
    """The query was ended at its limit."""


@dataclass(frozen=True)
class Plan:
    """How Millrace ran a query."""

    mode: str
    fragments: int
    reason: str


@dataclass(frozen=True)
class Taken:
    """One run: what it took, its answer once that is wanted, and how it ran."""

    milliseconds: float
    answer: Callable[[], Answer]
    plan: Plan | None = None


class Side(Protocol):
    """One way to run a query."""

    name: str

    def run(self, sql: str) -> Taken:
        """Run it once.  Raises Refused and TooLong."""
        ...


class PostgresSide:
    """PostgreSQL by itself; `processes`: further ones that a query may have, None: its default."""

    def __init__(self, name: str, url: str, processes: int | None, limit_s: float) -> None:
        self.name = name
        options = f"{SESSION} -c statement_timeout={round(limit_s * 1000)}"
        if processes is not None:
            options += f" -c max_parallel_workers_per_gather={processes}"
        self._connection = psycopg.connect(
            url, autocommit=True, options=options, context=text_adapters(),
            cursor_factory=psycopg.RawCursor,
        )  # fmt: skip

    def run(self, sql: str) -> Taken:
        """Run it once."""
        cursor = self._connection.cursor()
        began = time.perf_counter()
        try:
            cursor.execute(sql.encode())
            rows = cursor.fetchall()
        except psycopg.errors.QueryCanceled as error:
            raise TooLong from error
        taken = (time.perf_counter() - began) * 1000
        return Taken(taken, lambda: self._answer(cursor, rows))

    def _answer(self, cursor: psycopg.Cursor[Any], rows: list[Row]) -> Answer:
        described, result = cursor.description or [], cursor.pgresult
        assert result is not None
        oids = "{" + ",".join(str(column.type_code) for column in described) + "}"
        modifiers = "{" + ",".join(str(result.fmod(i)) for i in range(result.nfields)) + "}"
        named = self._connection.execute(TYPE_NAMES, [oids, modifiers])
        types = [str(name) for (name,) in named]
        return Answer([iso_times(row, types) for row in rows], types)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class MillraceSide:
    """Millrace through the balancer: one kept connection, no answer that was computed before.

    `modes` are those that count as this side's; `prepare` is called before each run.
    """

    def __init__(
        self,
        name: str,
        port: int,
        engine: str,
        modes: Sequence[str],
        limit_s: float,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit_s + 30)
        self._engine = engine
        self._modes = modes
        self._prepare = prepare

    def run(self, sql: str) -> Taken:
        """Run it once."""
        self._prepare()
        body = json.dumps({"sql": sql, "engine": self._engine}).encode()
        taken, status, data = post(self._connection, "/v1/query", body)
        # numbers stay text, so that no digit is lost in the comparison
        document = json.loads(data, parse_float=str, parse_int=str)
        if status == 504:
            raise TooLong
        if status != 200:
            raise Refused(f"{status}: {document.get('detail') or document.get('title')}")
        told = document["plan"]
        plan = Plan(told["mode"], int(told["fragments"]), told["reason"])
        if self._modes and plan.mode not in self._modes:
            raise Refused(f"ran {plan.mode}: {plan.reason}")

        def answer() -> Answer:
            types = [column["type"] for column in document["columns"]]
            rows = [tuple(value_text(value) for value in row) for row in document["rows"]]
            return Answer(rows, types)

        return Taken(taken, answer, plan)

    def explained_mode(self, sql: str) -> str:
        """Return how the planner would run it by itself."""
        body = json.dumps({"sql": sql, "engine": "auto"}).encode()
        _, status, data = post(self._connection, "/v1/query/explain", body)
        return str(json.loads(data)["mode"]) if status == 200 else f"status {status}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def post(
    connection: http.client.HTTPConnection, path: str, body: bytes
) -> tuple[float, int, bytes]:
    """Return milliseconds, status and body; nothing that was computed before is asked for."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    began = time.perf_counter()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    data = response.read()
    return (time.perf_counter() - began) * 1000, response.status, data


class DuckSide:
    """DuckDB by itself, in this process, over the very files of the segments."""

    def __init__(
        self, name: str, files: Sequence[SegmentFile], threads: int, limit_s: float
    ) -> None:
        self.name = name
        self._limit_s = limit_s
        self._connection = duckdb.connect(config={"threads": threads})
        self._connection.execute("SET TimeZone = 'UTC'")
        for table in sorted({file.table for file in files}):
            paths = [file.path for file in files if file.table == table]
            sources = []
            for number, path in enumerate(path for path in paths if path.suffix == ".duckdb"):
                name = f"{table}_{number}"
                self._connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
                sources.append(f"{name}.data")
            others = ", ".join(f"'{path}'" for path in paths if path.suffix != ".duckdb")
            if others:
                sources.append(f"read_parquet([{others}], hive_partitioning = false)")
            selects = " UNION ALL ".join(f"SELECT * FROM {source}" for source in sources)
            self._connection.execute(f"CREATE VIEW {table} AS {selects}")

    def run(self, sql: str) -> Taken:
        """Run it once, in DuckDB's own words."""
        theirs = sqlglot.transpile(sql, read="postgres", write="duckdb")[0]
        timer = threading.Timer(self._limit_s, self._connection.interrupt)
        timer.start()
        began = time.perf_counter()
        try:
            rows = self._connection.execute(theirs).fetchall()
        except duckdb.InterruptException as error:
            raise TooLong from error
        except duckdb.Error as error:
            raise Refused(str(error).partition("\n")[0]) from error
        finally:
            timer.cancel()
        taken = (time.perf_counter() - began) * 1000
        return Taken(taken, lambda: Answer([_texts(row) for row in rows], None))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


def _texts(row: Sequence[object]) -> Row:
    return tuple(_text(value) for value in row)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def drop_pages(files: Sequence[Path]) -> None:
    """Have the operating system forget what it holds of these files, if it can.

    They were synced when they were made, so that nothing is to be written first.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

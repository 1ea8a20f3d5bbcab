"""Where the time of a query goes: cached, direct and partitioned, beside PostgreSQL alone.

DATABASE_URL=… python bench/stack/stages.py [--url http://127.0.0.1:8080] [--times 300]

Against a running stack, best through the balancer, with its rate limit off
(MILLRACE_RATE_LIMIT=off).  Every round sends each query once, and runs the same SQL on PostgreSQL
itself, with one process and with as many as its settings allow: what disturbs the machine disturbs
all of them.  All figures are medians, each of its own quantity, so that a column need not add up.

"PostgreSQL" is what the replica waited for it (`timings_ms.postgresql`); "ours" is all the rest of
the time that the client waited, with HTTP, the balancer and this client's own part.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg

SQL = """SELECT grp, count(*), sum(amount), avg(amount), max(n) FROM numbers
    GROUP BY grp ORDER BY grp"""
WARM_UP = 20
TIMEOUT_S = 60.0
REPLICA = ("plan", "queue", "execute", "merge")
STAGES = (
    "client, total", "HTTP and balancer", *REPLICA, "rest of the replica", "PostgreSQL", "ours",
    "ours, %",
)  # fmt: skip
ALONE = ("PostgreSQL alone, serial", "PostgreSQL alone, parallel")

Taken = dict[tuple[str, str], list[float]]


@dataclass(frozen=True)
class Question:
    """A query, and how to have it answered in this `mode`."""

    mode: str
    sql: str
    body: dict[str, Any]

    def is_answered_so(self, plan: dict[str, Any]) -> bool:
        """Tell whether it was."""
        if self.mode == "cached":
            return bool(plan["cache"] == "hit")
        return bool(plan["mode"] == self.mode and plan["cache"] not in ("hit", "collapsed"))


def questions(cached: str, direct: str, partitioned: str) -> list[Question]:
    fresh = {"max_staleness_s": 0}
    return [
        Question("cached", cached, {"sql": cached}),
        Question("direct", direct, {"sql": direct, "engine": "direct", **fresh}),
        Question(
            "partitioned", partitioned, {"sql": partitioned, "engine": "partitioned", **fresh}
        ),
    ]


class Client:
    """One kept connection to the API; less of a client, so that it costs less."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=TIMEOUT_S
        )

    def ask(self, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Return the milliseconds that it took, and the answer."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Request-ID": uuid.uuid4().hex}
        began = time.perf_counter()
        self._connection.request("POST", "/v1/query", data, headers)
        response = self._connection.getresponse()
        text = response.read()
        took_ms = (time.perf_counter() - began) * 1000
        if response.status != http.client.OK:
            sys.exit(f"{response.status}: {text[:500].decode()}")
        return took_ms, json.loads(text)


def ask(client: Client, question: Question) -> dict[str, float]:
    """Return the milliseconds of each stage; an answer of another kind is asked for again."""
    for _ in range(5):
        took_ms, answer = client.ask(question.body)
        if question.is_answered_so(answer["plan"]):
            return stages(took_ms, answer["timings_ms"])
    sys.exit(f"not {question.mode}, but {answer['plan']}: {question.sql}")


def stages(took_ms: float, timings: dict[str, float]) -> dict[str, float]:
    """Divide the time that the client waited."""
    ours = took_ms - timings["postgresql"]
    return {
        "client, total": took_ms,
        "HTTP and balancer": took_ms - timings["total"],
        **{stage: timings[stage] for stage in REPLICA},
        "rest of the replica": timings["total"] - sum(timings[stage] for stage in REPLICA),
        "PostgreSQL": timings["postgresql"],
        "ours": ours,
        "ours, %": 100 * ours / took_ms,
    }


def alone(connection: psycopg.Connection[Any], sql: str) -> float:
    began = time.perf_counter()
    connection.execute(sql.encode()).fetchall()
    return (time.perf_counter() - began) * 1000


def measure(
    client: Client, asked: list[Question], sides: dict[str, psycopg.Connection[Any]], times: int
) -> Taken:
    taken: Taken = defaultdict(list)
    for number in range(-WARM_UP, times):
        for question in asked:
            found = ask(client, question)
            found |= {name: alone(side, question.sql) for name, side in sides.items()}
            if number >= 0:
                for stage, value in found.items():
                    taken[question.mode, stage].append(value)
    return taken


def show(asked: list[Question], taken: Taken) -> None:
    modes = [question.mode for question in asked]
    print(f"{'median, ms':<28}" + "".join(f"{mode:>14}" for mode in modes))
    for stage in (*STAGES, *ALONE):
        values = [statistics.median(taken[mode, stage]) for mode in modes]
        print(f"{stage:<28}" + "".join(f"{value:>14.2f}" for value in values))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"))
    parser.add_argument("--schema", default="public", help="the one that the reader may read")
    parser.add_argument("--times", type=int, default=300)
    for mode in ("cached", "direct", "partitioned"):
        parser.add_argument(f"--{mode}", default=SQL, metavar="SQL", help="the query, for numbers")
    options = parser.parse_args()
    if options.database_url is None:
        parser.error("give --database-url, or DATABASE_URL")
    path = f"-c search_path={options.schema}"
    asked = questions(options.cached, options.direct, options.partitioned)
    with (
        psycopg.connect(
            options.database_url, autocommit=True, prepare_threshold=None,
            options=f"{path} -c max_parallel_workers_per_gather=0",
        ) as serial,
        psycopg.connect(
            options.database_url, autocommit=True, prepare_threshold=None, options=path
        ) as parallel,
    ):  # fmt: skip
        sides = dict(zip(ALONE, (serial, parallel), strict=True))
        show(asked, measure(Client(options.url), asked, sides, options.times))


if __name__ == "__main__":
    main()

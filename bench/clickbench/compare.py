"""Questions over a table of page views, through Millrace and PostgreSQL alone.

Against a running Millrace (started with MILLRACE_RATE_LIMIT=off), whose database's URL `make up`
prints; `--create` makes the table first:

    .venv/bin/python -m bench.clickbench.compare --create --database-url 'postgresql://…'
"""

import argparse
import sys
from pathlib import Path

import psycopg

from bench.queries.side_by_side import compare, read_queries

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--create", action="store_true", help="make the table anew")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.create:
        values = {"rows": str(options.rows), "seed": str(options.seed)}
        with psycopg.connect(options.database_url, autocommit=True) as connection:
            for _, statement in read_queries(HERE / "table.sql", **values):
                connection.execute(statement.encode())
    unequal = compare(
        read_queries(HERE / "queries.sql"), url=options.url,
        database_url=options.database_url, rounds=options.rounds,
    )  # fmt: skip
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())

"""TPC-H's 22 queries, and simple ones over its tables, through Millrace and PostgreSQL alone.

Load the tables first, into a running Millrace (started with MILLRACE_RATE_LIMIT=off):

    pip install tpchgen-cli && tpchgen-cli parquet -s 0.1 --output-dir tpch
    for table in lineitem orders customer part partsupp supplier nation region; do
        .venv/bin/millrace load tpch/$table.parquet --table $table; done
    .venv/bin/python -m bench.tpch.compare --database-url 'postgresql://…'

`make up` prints the database's URL.  TPC-H's usual indexes, on the primary keys and on
`lineitem (l_orderkey)` and `(l_partkey, l_suppkey)`, keep PostgreSQL's own times fair; `--index`
makes them.
"""

import argparse
import sys
from pathlib import Path

import psycopg

from bench.queries.side_by_side import compare, read_queries

HERE = Path(__file__).parent
INDEXES = (
    "CREATE INDEX IF NOT EXISTS lineitem_order ON lineitem (l_orderkey)",
    "CREATE INDEX IF NOT EXISTS lineitem_part ON lineitem (l_partkey, l_suppkey)",
    "CREATE INDEX IF NOT EXISTS orders_key ON orders (o_orderkey)",
    "CREATE INDEX IF NOT EXISTS orders_customer ON orders (o_custkey)",
    "CREATE INDEX IF NOT EXISTS customer_key ON customer (c_custkey)",
    "CREATE INDEX IF NOT EXISTS part_key ON part (p_partkey)",
    "CREATE INDEX IF NOT EXISTS partsupp_key ON partsupp (ps_partkey, ps_suppkey)",
    "CREATE INDEX IF NOT EXISTS supplier_key ON supplier (s_suppkey)",
    "VACUUM ANALYZE",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=0.1, help="the loaded scale factor")
    parser.add_argument("--simple", action="store_true", help="the simple queries instead")
    parser.add_argument("--index", action="store_true", help="make the usual indexes first")
    options = parser.parse_args()
    if options.index:
        with psycopg.connect(options.database_url, autocommit=True) as connection:
            for statement in INDEXES:
                connection.execute(statement.encode())
    name = "simple.sql" if options.simple else "queries.sql"
    queries = read_queries(HERE / name, fraction=f"{0.0001 / options.scale:.10f}")
    unequal = compare(
        queries, url=options.url, database_url=options.database_url, rounds=options.rounds
    )
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())

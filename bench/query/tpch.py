"""TPC-H's tables: made once by tpchgen-cli as Parquet, then copied into PostgreSQL.

Each has TPC-H's primary key, and each foreign key an index, as is usual: without them PostgreSQL
takes minutes for Q17 and Q20.  Strings are `text`, as in the Parquet files.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.query.acceleration import remove
from bench.query.stack import Stack
from cli.loading.parquet_file import ParquetFile

PRIMARY_KEYS = {
    "lineitem": "l_orderkey, l_linenumber",
    "orders": "o_orderkey",
    "partsupp": "ps_partkey, ps_suppkey",
    "customer": "c_custkey",
    "part": "p_partkey",
    "supplier": "s_suppkey",
    "nation": "n_nationkey",
    "region": "r_regionkey",
}
TABLES = tuple(PRIMARY_KEYS)
# the primary keys of partsupp and lineitem begin with one of their foreign keys
FOREIGN_KEYS = (
    "lineitem (l_partkey, l_suppkey)",
    "lineitem (l_suppkey)",
    "orders (o_custkey)",
    "partsupp (ps_suppkey)",
    "customer (c_nationkey)",
    "supplier (s_nationkey)",
    "nation (n_regionkey)",
)
_SCALE = "SELECT obj_description(to_regclass('lineitem'), 'pg_class')"


def generated(folder: Path, scale: float) -> Path:
    """Return the folder of this scale's Parquet files; they are made unless they are there."""
    target = folder / f"tpch-{scale:g}"
    if not target.is_dir():
        beside = Path(sys.executable).with_name("tpchgen-cli")
        program = shutil.which("tpchgen-cli") or (str(beside) if beside.is_file() else None)
        if program is None:
            raise SystemExit("tpchgen-cli is not on PATH: pip install tpchgen-cli")
        unfinished = target.with_name(target.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        argv = [program, "parquet", "-s", f"{scale:g}", "--output-dir", str(unfinished)]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(target)
    return target


def load(stack: Stack, files: Path, scale: float) -> dict[str, float]:
    """Fill the tables unless they have been at this scale; return the seconds of each step."""
    mark = f"TPC-H {scale:g}"
    with stack.connect() as connection:
        if connection.execute(_SCALE).fetchone() == (mark,):
            return {}
        is_there = connection.execute(b"SELECT to_regclass('lineitem') IS NOT NULL").fetchone()
        if is_there == (True,):
            remove(stack, TABLES)
        connection.execute(f"DROP TABLE IF EXISTS {', '.join(TABLES)}".encode())
    began = time.perf_counter()
    # the largest table takes as long as all others, and so each may have a processor
    with ThreadPoolExecutor(2) as threads:
        for _ in threads.map(lambda names: _fill(stack, files, names), (TABLES[:1], TABLES[1:])):
            pass
    filled = time.perf_counter()
    with stack.connect() as connection:
        for columns in FOREIGN_KEYS:
            connection.execute(f"CREATE INDEX ON {columns}".encode())
        connection.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}".encode())
        connection.execute(f"COMMENT ON TABLE lineitem IS '{mark}'".encode())
        connection.execute(b"CHECKPOINT")
    return {"copy": filled - began, "index and analyse": time.perf_counter() - filled}


def _fill(stack: Stack, files: Path, names: Sequence[str]) -> None:
    for name in names:
        source = ParquetFile(files / f"{name}.parquet", {})
        columns = ", ".join(f"{column.name} {column.type} NOT NULL" for column in source.columns)
        with stack.connect() as connection, connection.transaction():
            connection.execute(f"CREATE TABLE {name} ({columns})".encode())
            copy = f"COPY {name} FROM STDIN ({source.copy_options}, FREEZE)"
            with connection.cursor().copy(copy.encode()) as stream:
                for chunk, _ in source.chunks():
                    stream.write(chunk)
            connection.execute(
                f"ALTER TABLE {name} ADD PRIMARY KEY ({PRIMARY_KEYS[name]})".encode()
            )

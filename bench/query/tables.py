"""The tables of the comparison: loaded, accelerated, and their segments built."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.query import tpch, wide
from bench.query.acceleration import accelerate
from bench.query.segments import segment_files
from bench.query.stack import Stack

_HEAP = "SELECT pg_table_size(%s::regclass), pg_total_relation_size(%s::regclass)"


def load(stack: Stack, folder: Path, scale: float, rows: int) -> list[str]:
    """Load TPC-H at `scale` and `rows` of the wide table, 0: not that; return their names."""
    names: list[str] = []
    if scale:
        files = tpch.generated(folder, scale)
        for step, seconds in tpch.load(stack, files, scale).items():
            print(f"TPC-H {scale:g}, {step}: {seconds:.1f} s", flush=True)
        names += tpch.TABLES
    if rows:
        seconds = wide.load(stack, rows)
        print(f"hits, {rows:,} rows of {wide.COLUMNS} columns: {seconds:.1f} s", flush=True)
        names.append("hits")
    return names


def build(stack: Stack, names: Sequence[str]) -> dict[str, Any]:
    """Accelerate those of these tables that are not; return and print what their segments take."""
    there = {file.table for file in segment_files(stack)}
    wanted = [name for name in names if name not in there]
    if not wanted:
        return {"tables": []}
    seconds = accelerate(stack, wanted)
    found = [_built(stack, name) for name in wanted]
    rows = sum(one["rows"] for one in found)
    peaks = stack.keeper_memory()
    print(
        f"segments of {len(found)} tables: {rows:,} rows in {seconds:.1f} s, "
        f"{rows / seconds:,.0f} rows/s; memory of the {len(peaks)} keepers, at most: "
        f"{', '.join(f'{peak / 1e6:.0f} MB' for peak in peaks)}",
        flush=True,
    )
    return {"tables": found, "rows": rows, "seconds": seconds, "keepers_peak_bytes": peaks}


def _built(stack: Stack, name: str) -> dict[str, Any]:
    files = [file for file in segment_files(stack) if file.table == name]
    with stack.connect() as connection:
        row = connection.execute(_HEAP, [name, name]).fetchone() or (0, 0)
    return {
        "table": name, "rows": sum(file.rows for file in files), "segments": len(files),
        "builders_seconds": sum(file.seconds for file in files),
        "bytes": sum(file.byte_size for file in files), "heap_bytes": int(str(row[0])),
        "with_indexes_bytes": int(str(row[1])),
    }  # fmt: skip

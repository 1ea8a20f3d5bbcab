"""Where results go: JSON and charts, below bench/results unless told otherwise."""

import json
import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.query.stack import Stack

DEFAULT = Path(__file__).resolve().parent.parent / "results"


def about(stack: Stack) -> dict[str, Any]:
    """Return what the figures depend on."""
    with stack.connect() as connection:
        row = connection.execute(b"SHOW server_version").fetchone()
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "memory_bytes": psutil.virtual_memory().total,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "postgresql": str(row[0]) if row else "",
        "duckdb": version("duckdb"),
        "postgresql_settings": stack.postgres_settings,
        "apps": stack.options.apps,
        "workers": stack.options.workers,
    }


def keep(folder: Path, name: str, document: Mapping[str, Any], chart: str | None = None) -> None:
    """Write the files, and say where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwritten: {path}", end="")
    if chart is not None:
        path = folder / f"{name}.svg"
        path.write_text(chart)
        print(f", {path}", end="")
    print()

"""What DuckDB may use follows what the worker's process may."""

import os
from pathlib import Path

import psutil
import pytest

from worker.columnar_wiring import memory, processors


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1)]
)
def test_processors_are_bounded_by_the_control_group(
    tmp_path: Path, text: str, expected: int | None
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert processors(quota) == (expected or processors(tmp_path / "missing"))
    assert 1 <= processors(quota) <= (os.cpu_count() or 1)


@pytest.mark.parametrize("text", ["max", "", "999999999999999999"])
def test_memory_without_a_bound_is_the_machines(tmp_path: Path, text: str) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(text)
    assert memory(limit) == psutil.virtual_memory().total == memory(tmp_path / "missing")


def test_memory_is_bounded_by_the_control_group(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("536870912\n")
    assert memory(limit) == 512 * 1024**2

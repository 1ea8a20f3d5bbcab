"""Builds what runs fragments over segments, where there is a folder of them."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from columnar.engine import Bounds, ColumnarEngine
from segments.folder import SegmentFolder
from segments.settings import SegmentSettings
from worker.columnar_runner import ColumnarRunner
from worker.settings import WorkerSettings

MB = 1024**2
LEAST_MEMORY = 128 * MB
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def build_columnar_runner(
    settings: WorkerSettings,
    segments: SegmentSettings,
    on_ran: Callable[[float, int], None],
) -> ColumnarRunner | None:
    """Return the runner; None without a folder.  Raises OSError where that cannot be made."""
    if segments.folder is None:
        return None
    segments.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bounds = Bounds(
        threads=settings.columnar_threads or processors(),
        memory_bytes=settings.columnar_memory_mb * MB or max(LEAST_MEMORY, memory() // 8),
        temporary=Path(tempfile.gettempdir()) / f"millrace-duckdb-{os.getpid()}",
        temporary_bytes=settings.columnar_temp_mb * MB,
    )
    folder = SegmentFolder(segments.folder, segments.max_mb * MB)
    return ColumnarRunner(ColumnarEngine(segments.folder, bounds), folder, on_ran)


def memory(limit: Path = MEMORY_LIMIT) -> int:
    """Return how many bytes of memory this process may have: the machine's, or its group's."""
    total = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):
        total = min(total, int(limit.read_text()))
    return total


def processors(quota: Path = CPU_QUOTA) -> int:
    """Return how many processors this process may use: by affinity, and by its control group."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):
        most, period = quota.read_text().split()
        if most != "max":
            count = min(count or 1, max(1, round(int(most) / int(period))))
    return max(1, count or 1)

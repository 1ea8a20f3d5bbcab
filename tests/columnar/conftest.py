"""An engine over a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from columnar.engine import Bounds, ColumnarEngine


@pytest.fixture(scope="session")
def segment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files are."""
    return tmp_path_factory.mktemp("segments")


@pytest.fixture(scope="session")
def engine(
    segment_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ColumnarEngine]:
    """One DuckDB, of one thread and 256 MB."""
    bounds = Bounds(1, 256_000_000, tmp_path_factory.mktemp("temporary"), 256_000_000)
    engine = ColumnarEngine(segment_folder, bounds)
    yield engine
    engine.close()

"""The formats of segments' files, by their names in the settings."""

from columnar.own_file import SUFFIX, OwnFiles
from segments.file_format import PARQUET, FileFormat


def file_format(name: str) -> FileFormat:
    """Return the format of this name."""
    return {"duckdb": FileFormat(SUFFIX, OwnFiles().writer), "parquet": PARQUET}[name]

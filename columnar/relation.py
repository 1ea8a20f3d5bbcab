"""What a query reads under a name: columns of files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from columnar.own_file import SUFFIX, TABLE, quoted


@dataclass(frozen=True)
class RelationFiles:
    """A relation `name` of `columns` (own name, name in the files, DuckDB's type).

    Without files it has no rows.  Files are in DuckDB's own format where their names say so, and
    Parquet else.  Each column is cast to its type, which costs nothing where it
    has that type already, and raises where a value would not fit.  `rows` are further ones.
    """

    name: str
    columns: Sequence[tuple[str, str, str]]
    files: Sequence[Path]
    rows: pa.Table | None = None

    @property
    def rows_name(self) -> str:
        """The name under which the SQL reads `rows`."""
        return f"{self.name}_rows"

    @property
    def to_attach(self) -> list[Path]:
        """The files that are to be attached before the relation is read."""
        return [path for path in self.files if path.suffix == f".{SUFFIX}"]

    def sql(self, attached: Mapping[Path, str]) -> str:
        """Return the relation as a common table expression; `attached` are names of files."""
        items = [f"CAST({_quoted(name)} AS {type_}) AS {own}" for own, name, type_ in self.columns]
        shown = ", ".join(items) or "1 AS one"
        sources = [f"{attached[path]}.{TABLE}" for path in self.to_attach]
        others = [quoted(str(path)) for path in self.files if path not in attached]
        if others:
            sources.append(f"read_parquet([{', '.join(others)}], hive_partitioning = false)")
        if self.rows is not None:
            sources.append(self.rows_name)
        selects = [f"SELECT {shown} FROM {source}" for source in sources]
        if not selects:
            empty = [f"CAST(NULL AS {type_}) AS {own}" for own, _, type_ in self.columns]
            selects = [f"SELECT {', '.join(empty) or '1 AS one'} WHERE false"]
        return f"{self.name} AS NOT MATERIALIZED ({' UNION ALL '.join(selects)})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

"""What rendering must know of tables, as the caller read it from PostgreSQL's catalog."""

from collections.abc import Mapping
from dataclasses import dataclass

from query.columnar.kinds import Kind, kind_of


@dataclass(frozen=True)
class ColumnFact:
    """A column: type oid and modifier, and its collation's name, nothing where it has none.

    `bytewise` tells that the collation sorts by the bytes of UTF-8 (`C`, `POSIX`, `C.UTF-8`,
    `ucs_basic`), and `deterministic` that strings are equal only if their bytes are.  `is_kept`
    is False where segments leave it out, whatever its type.
    """

    oid: int
    typmod: int = -1
    collation: str = ""
    bytewise: bool = False
    deterministic: bool = True
    is_kept: bool = True

    @property
    def kind(self) -> Kind | None:
        """Its kind; None where a segment does not hold it, or its equality is not that of bytes."""
        if not self.deterministic or not self.is_kept:
            return None
        return kind_of(self.oid, self.typmod, self.collation, bytewise=self.bytewise)


@dataclass(frozen=True)
class TableFact:
    """A table's columns in their order, those included that segments leave out.

    Segments hold a column so that no value of it reads otherwise in DuckDB: numbers without NaN,
    dates and times without infinities, a `timestamptz` as the time in UTC, a char(n) padded.
    """

    columns: Mapping[str, ColumnFact]

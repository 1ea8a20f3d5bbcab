"""The query over some segments, as a task of the query lane carries it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

# a partial that was kept is of no use to those who mean something else by the same words
VERSION = 1


@dataclass(frozen=True)
class SegmentFile:
    """A file of the list of segments: its name, its size in bytes and its SHA-256 in hex."""

    name: str
    byte_size: int
    sha256: str


@dataclass(frozen=True)
class Fetch:
    """Rows that PostgreSQL gives, at the snapshot of the query: those of a table in key ranges.

    A range goes from its first bound up to, not including, its second; None: no bound.  Without a
    `key` there are no ranges, and all rows are meant.
    """

    oid: int
    schema: str
    table: str
    key: str
    key_type: str
    ranges: tuple[tuple[str | None, str | None], ...]


@dataclass(frozen=True)
class RelationPart:
    """What the SQL reads as `name`: columns (own name, name in the files, DuckDB's type)."""

    name: str
    columns: tuple[tuple[str, str, str], ...]
    files: tuple[SegmentFile, ...]
    fetch: Fetch | None = None


@dataclass(frozen=True)
class ColumnarFragment:
    """One fragment; what it yields has `width` columns of text.

    Results above `max_rows` rows or `max_bytes` bytes of values are refused by the worker, and
    so are more than `max_fetched` rows of PostgreSQL, which are read at `snapshot`, as
    `pg_export_snapshot()` named it.
    """

    sql: str
    relations: tuple[RelationPart, ...]
    width: int
    max_rows: int
    max_bytes: int
    max_fetched: int
    snapshot: str = ""

    def encode(self) -> bytes:
        """Return the fragment as a JSON object."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, data: bytes) -> "ColumnarFragment":
        """Read what `encode` wrote.  Raises ValueError for anything else."""
        try:
            values = json.loads(data)
            relations = tuple(
                RelationPart(
                    one["name"],
                    tuple((own, name, type_) for own, name, type_ in one["columns"]),
                    tuple(SegmentFile(**file) for file in one["files"]),
                    None if one["fetch"] is None else _fetch(one["fetch"]),
                )
                for one in values.pop("relations")
            )
            return cls(relations=relations, **values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a columnar fragment: {error}") from error

    @property
    def fetches(self) -> bool:
        """Tell whether rows of PostgreSQL are wanted."""
        return any(one.fetch is not None for one in self.relations)

    @property
    def digest(self) -> str | None:
        """The SHA-256, in hex, of all that its partial depends on; None where that is not known.

        Files count by what they hold, so that it may be kept for as long as anybody likes.
        """
        if self.fetches:
            return None
        meant = [
            VERSION,
            self.sql,
            [
                (one.name, one.columns, [file.sha256 for file in one.files])
                for one in self.relations
            ],
        ]
        return hashlib.sha256(json.dumps(meant, separators=(",", ":")).encode()).hexdigest()


def _fetch(values: dict[str, Any]) -> Fetch:
    ranges = tuple((low, high) for low, high in values.pop("ranges"))
    return Fetch(ranges=ranges, **values)


def is_columnar(payload: bytes) -> bool:
    """Tell which of the two kinds of fragments a task carries."""
    return payload.startswith(b"{")

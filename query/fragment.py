"""The query for one partition, and what comes back of it."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fragment:
    """One partition's query, as a task of the query lane carries it.

    `params` are the values of `$1…` in PostgreSQL's text format.  `snapshot` is what
    `pg_export_snapshot()` returned; every fragment of a query reads under the same one.
    Results above `max_rows` rows or `max_bytes` bytes of values are refused by the worker.
    """

    index: int
    sql: str
    params: tuple[str | None, ...]
    snapshot: str
    max_rows: int
    max_bytes: int

    def encode(self) -> bytes:
        """Return the fragment as JSON."""
        return json.dumps(
            [self.index, self.sql, self.params, self.snapshot, self.max_rows, self.max_bytes],
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Fragment":
        """Read what `encode` wrote.  Raises ValueError for anything else."""
        try:
            index, sql, params, snapshot, max_rows, max_bytes = json.loads(data)
            return cls(index, sql, tuple(params), snapshot, max_rows, max_bytes)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a fragment: {error}") from error


@dataclass(frozen=True)
class ColumnType:
    """A result column: type oid, type modifier (-1: none) and name, as PostgreSQL reports them."""

    oid: int
    typmod: int
    name: str


@dataclass(frozen=True)
class Partial:
    """A fragment's result: `data[c][r]` is row r of column c in PostgreSQL's text format.

    `postgresql_s` is how long the worker waited for PostgreSQL.
    """

    columns: tuple[ColumnType, ...]
    data: list[list[str | None]]
    row_count: int
    postgresql_s: float = field(default=0.0, compare=False)

    def encode(self) -> bytes:
        """Return the partial as JSON."""
        columns = [(column.oid, column.typmod, column.name) for column in self.columns]
        document = [columns, self.data, self.row_count, round(self.postgresql_s, 6)]
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Partial":
        """Read what `encode` wrote.  Raises ValueError for anything else."""
        try:
            columns, values, row_count, *rest = json.loads(data)
            return cls(tuple(ColumnType(*column) for column in columns), values, row_count, *rest)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a partial: {error}") from error


SEGMENT = "segment"


@dataclass(frozen=True)
class FragmentError:
    """Why a fragment has no partial.

    `kind` is `sql` (PostgreSQL refused the query itself: the user's business), `timeout` (out of
    time or cancelled), `snapshot` (it is gone), `too_large`, `database` (out of reach), `segment`
    (files are not what was written; their names are the lines of `detail`), `columnar` (DuckDB
    leaves the word to PostgreSQL) or `internal`.
    """

    kind: str
    message: str
    sqlstate: str | None = None
    detail: str | None = None
    hint: str | None = None

    def encode(self) -> str:
        """Return the error as JSON text."""
        return json.dumps(
            [self.kind, self.message, self.sqlstate, self.detail, self.hint], ensure_ascii=False
        )

    @classmethod
    def decode(cls, text: str) -> "FragmentError":
        """Read what `encode` wrote; any other text becomes the message of an `internal` error."""
        try:
            kind, message, sqlstate, detail, hint = json.loads(text)
        except (TypeError, ValueError):
            return cls("internal", text)
        return cls(kind, message, sqlstate, detail, hint)

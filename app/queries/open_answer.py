"""An answer on its way: what is known before the first row, the rows, what is known after them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.queries.copy_out import CopyOut
from app.queries.request import Timings
from app.queries.sql_error import translated
from db.pool import Row
from query.fragment import ColumnType

# (COPY's text, rows of head) → the running COPY
Copier = Callable[[str, int], CopyOut]


@dataclass
class OpenAnswer:
    """A running answer, valid inside the context of `QueryService.open`.

    `rows` or `copied` is iterated over once; after its end `row_count`, `truncated` and `timings`
    are those of the answer.  `sql` is the statement's text where PostgreSQL may be asked to format
    its rows; None where they can only be had one by one.
    """

    columns: tuple[ColumnType, ...]
    types: tuple[str, ...]
    mode: str
    reason: str
    fragments: int
    snapshot: str
    timings: Timings
    max_rows: int
    source: Iterable[Row]
    ended: Callable[["OpenAnswer"], None]
    sql: str | None = None
    copier: Copier | None = None
    row_count: int = 0
    truncated: bool = False

    @property
    def rows(self) -> Iterator[Row]:
        """The rows, in constant memory.  Raises as `QueryService.run` does, also later."""
        with translated():
            for row in self.source:
                if self.row_count == self.max_rows:
                    self.truncated = True
                    break
                self.row_count += 1
                yield row
        self.ended(self)

    def copied(self, copy: str, *, head_rows: int = 0) -> Iterator[bytes]:
        """Return the rows as PostgreSQL formats them, many in a piece.

        `copy` is the whole command, of which the first `head_rows` lines are no rows.  Only where
        there is `sql`.
        """
        assert self.copier is not None  # noqa: S101 - for the type checker; callers have looked
        running = self.copier(copy, head_rows)
        with translated():
            for piece, rows in running:
                self.row_count += rows
                yield piece
        self.truncated = running.truncated
        self.ended(self)

"""One side of a comparison: runs the statements, and reads what they return."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from db.pool import Connection
from worker.tables.key_range import LANE, Checksum, Key, KeyRange
from worker.tables.statements import Statements

SAMPLED_PAGES = 400
SAMPLED_FROM_PAGES = 4000  # of fewer, all keys are looked at: no tenth of a second


@dataclass(frozen=True)
class ShownRow:
    """A row as it is told of: texts of its key and of the columns that are compared."""

    key: Key
    values: tuple[str | None, ...]


class Side:
    """Reads on a connection that is inside a transaction with a snapshot.

    Every method raises psycopg.Error.
    """

    def __init__(self, connection: Connection, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are compared, in the order of ShownRow.values."""
        return self._statements.names

    def checksums(self, ranges: Sequence[KeyRange]) -> list[Checksum]:
        """Return one for each range; they are in order and apart."""
        found = [Checksum()] * len(ranges)
        for number, rows, high, low in self._run(self._statements.checksums(ranges)):
            found[int(number)] = Checksum(int(rows), int(high) % LANE, int(low) % LANE)
        return found

    def hashes(self, ranges: Sequence[KeyRange]) -> list[tuple[str | None, ...]]:
        """Return key and hash of each row in the ranges: the last two values are the hash."""
        return self._select(self._statements.hashes(ranges))

    def cuts(self, ranges: Sequence[KeyRange], steps: Mapping[int, int]) -> dict[int, list[Key]]:
        """Return keys that cut ranges, given by their numbers, into parts of so many rows."""
        found: dict[int, list[Key]] = {number: [] for number in steps}
        for number, *key in self._run(self._statements.cuts(ranges, steps)):
            found[int(number)].append(tuple(key))
        return found

    def walk(self, span: KeyRange, rows: int, step: int) -> tuple[list[Key], Key | None]:
        """Return the keys that cut the span's next `rows` into steps, and the one behind them.

        The latter is None where the span has no more rows.
        """
        keys = [
            (int(place), tuple(key))
            for place, *key in self._run(self._statements.walk(span, rows, step))
        ]
        behind = next((key for place, key in keys if place == rows + 1), None)
        return [key for place, key in keys if 1 < place <= rows], behind

    def behind(self, span: KeyRange, rows: int) -> Key | None:
        """Return the key in the span that so many rows precede; None where it has no more."""
        found = self._run(self._statements.behind(span, rows))
        return found[0] if found else None

    def sample(self, most: int, pages: int, *, is_plain: bool) -> list[Key]:
        """Return up to `most` keys by chance, in order, of a relation of so many pages."""
        percent = None
        if is_plain and pages > SAMPLED_FROM_PAGES:
            percent = 100.0 * SAMPLED_PAGES / pages
        return [tuple(key) for key in self._run(self._statements.sample(most, percent))]

    def sorted(self, keys: Sequence[Key]) -> list[Key]:
        """Return the keys in PostgreSQL's order, each once."""
        if not keys:
            return []
        return [tuple(key) for key in self._run(self._statements.sorted(keys))]

    def rows(self, keys: Sequence[Key]) -> dict[Key, ShownRow]:
        """Return the rows of these keys."""
        wanted = set(keys)
        shown = (self._shown(row) for row in self._select(self._statements.rows(keys)))
        return {row.key: row for row in shown if row.key in wanted}

    def stream(self, within: KeyRange, most: int, page: int) -> Iterator[list[ShownRow]]:
        """Yield the first `most` rows of a range, in order, so many at a time."""
        declared = f"DECLARE streamed NO SCROLL CURSOR FOR {self._statements.stream(within)}"
        self._connection.execute(declared.encode())
        left = most
        while left > 0:
            fetch = f"FETCH {min(left, page)} FROM streamed"
            rows = self._select(fetch)
            if not rows:
                break
            left -= len(rows)
            yield [self._shown(row) for row in rows]
        self._connection.execute("CLOSE streamed")

    def has_null_keys(self, columns: Sequence[str]) -> bool:
        """Whether some row has no key."""
        return self._run(self._statements.null_keys(columns)) == [("t",)]

    def _shown(self, row: Sequence[str | None]) -> ShownRow:
        width = len(row) - len(self.names)
        return ShownRow(tuple(part or "" for part in row[:width]), tuple(row[width:]))

    def _select(self, sql: str) -> list[tuple[str | None, ...]]:
        return self._connection.execute(sql.encode()).fetchall()

    def _run(self, sql: str) -> list[tuple[str, ...]]:
        """Return rows of which no value is NULL."""
        return [tuple(value or "" for value in row) for row in self._select(sql)]

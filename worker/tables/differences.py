"""Finds the differences between two sides: by checksums down to few rows, then row by row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, TypeVar

from jobs.errors import PermanentFailure
from jobs.output import OutputRow
from worker.tables.key_range import Checksum, Key, KeyRange
from worker.tables.side import ShownRow, Side
from worker.tables.sizes import Sizes

LEAVES_AT_ONCE = 64
T = TypeVar("T")
_Row: TypeAlias = tuple[str | None, ...]
Where: TypeAlias = Literal["only_left", "only_right"]


@dataclass
class Tally:
    """What has been found so far."""

    left: int = 0
    right: int = 0
    only_left: int = 0
    only_right: int = 0
    different: int = 0
    equal: int = 0
    ranges: int = 0

    @property
    def differences(self) -> int:
        """How many rows are not the same on both sides."""
        return self.only_left + self.only_right + self.different

    def add(self, other: Mapping[str, int]) -> None:
        """Add what another one, as a dictionary, has found."""
        for name, count in asdict(self).items():
            setattr(self, name, count + other[name])


class Differences:
    """Compares ranges of two sides; each must not be used by anybody else meanwhile.

    `show` takes rows of the stream `result`, at most `most_shown` of them; whatever is beyond is
    counted all the same.  `pool` runs one side while the caller's thread runs the other; None where
    both have one connection.  `check` is called between statements, and may raise.
    """

    def __init__(
        self,
        left: Side,
        right: Side,
        key: Sequence[str],
        *,
        show: Callable[[Sequence[OutputRow]], None],
        most_shown: int,
        pool: Executor | None,
        check: Callable[[], None],
        sizes: Sizes,
    ) -> None:
        self._left = left
        self._right = right
        self._key = key
        self._show = show
        self._left_to_show = most_shown
        self._pool = pool
        self._check = check
        self._sizes = sizes
        self.tally = Tally()

    def compare(self, ranges: Sequence[KeyRange]) -> None:
        """Compare ranges that are in order and apart.

        Raises psycopg.Error, and PermanentFailure where several rows have one key.
        """
        todo = list(ranges)
        is_first = True
        while todo:
            self._check()
            left, right = self._both(lambda side, now=tuple(todo): side.checksums(now))  # type: ignore[misc]
            if is_first:
                self.tally.left += sum(one.rows for one in left)
                self.tally.right += sum(one.rows for one in right)
                is_first = False
            todo = self._descend(todo, left, right)

    def _descend(
        self, ranges: Sequence[KeyRange], left: Sequence[Checksum], right: Sequence[Checksum]
    ) -> list[KeyRange]:
        """Settle what can be settled; return parts of the rest."""
        leaves: list[KeyRange] = []
        large: dict[int, tuple[int, int]] = {}
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            if one == other:
                self.tally.equal += one.rows
            elif not other.rows:
                self._one_sided("only_left", ranges[number], one.rows)
            elif not one.rows:
                self._one_sided("only_right", ranges[number], other.rows)
            elif max(one.rows, other.rows) <= self._sizes.leaf:
                leaves.append(ranges[number])
            else:
                large[number] = one.rows, other.rows
        parts: list[KeyRange] = []
        cuts = self._cuts(ranges, large)
        for number in large:
            if cuts[number]:
                parts += ranges[number].cut(cuts[number])
            else:
                leaves.append(ranges[number])
        for start in range(0, len(leaves), LEAVES_AT_ONCE):
            self._check()
            self._leaves(leaves[start : start + LEAVES_AT_ONCE])
        return parts

    def _cuts(
        self, ranges: Sequence[KeyRange], large: Mapping[int, tuple[int, int]]
    ) -> dict[int, list[Key]]:
        """Return by number of range the keys that cut it, by the quantiles of its larger side."""
        by_side: dict[bool, dict[int, int]] = {True: {}, False: {}}
        for number, (left, right) in large.items():
            by_side[left >= right][number] = max(
                self._sizes.leaf, -(-max(left, right) // self._sizes.parts)
            )
        cuts: dict[int, list[Key]] = {}
        for is_left, steps in by_side.items():
            if steps:
                side = self._left if is_left else self._right
                numbers = list(steps)
                found = side.cuts(
                    [ranges[number] for number in numbers],
                    {place: steps[number] for place, number in enumerate(numbers)},
                )
                cuts |= {
                    number: _inside(ranges[number], found[place])
                    for place, number in enumerate(numbers)
                }
        return cuts

    def _one_sided(self, where: Where, within: KeyRange, rows: int) -> None:
        setattr(self.tally, where, getattr(self.tally, where) + rows)
        side = self._left if where == "only_left" else self._right
        for page in side.stream(within, min(rows, self._left_to_show), self._sizes.page):
            self._check()
            self._shown([self._row(where, row) for row in page])

    def _leaves(self, ranges: Sequence[KeyRange]) -> None:
        left, right = self._both(lambda side: side.hashes(ranges))
        # whole rows as sets: nearly all are equal, and are not looked at one by one
        equal = set(left) & set(right)
        one, other = _keys_beside(left, equal), _keys_beside(right, equal)
        different = set(one) & set(other)
        only_left = [key for key in one if key not in different]
        only_right = [key for key in other if key not in different]
        self.tally.only_left += len(only_left)
        self.tally.only_right += len(only_right)
        self.tally.different += len(different)
        self.tally.equal += len(equal)
        self._show_keys(only_left, only_right, [key for key in one if key in different])

    def _show_keys(
        self, only_left: Sequence[Key], only_right: Sequence[Key], different: Sequence[Key]
    ) -> None:
        for where, keys in (("only_left", only_left), ("only_right", only_right)):
            side = self._left if where == "only_left" else self._right
            for page in self._pages(keys):
                rows = side.rows(page)
                self._shown([self._row(where, rows[key]) for key in page])
        for page in self._pages(different):
            left, right = self._both(lambda side, now=page: side.rows(now))  # type: ignore[misc]
            self._shown([self._different(left[key], right[key]) for key in page])

    def _pages(self, keys: Sequence[Key]) -> Iterable[Sequence[Key]]:
        start = 0
        while start < len(keys) and self._left_to_show > 0:
            page = keys[start : start + min(self._sizes.page, self._left_to_show)]
            start += len(page)
            yield page

    def _shown(self, rows: Sequence[OutputRow]) -> None:
        self._left_to_show -= len(rows)
        self._show(rows)

    def _row(self, where: str, row: ShownRow) -> OutputRow:
        values = dict(zip(self._left.names, row.values, strict=True))
        sides = [values, None] if where == "only_left" else [None, values]
        return [where, self._named(row.key), None, *sides]

    def _different(self, left: ShownRow, right: ShownRow) -> OutputRow:
        names = self._left.names
        pairs = zip(names, left.values, right.values, strict=True)
        columns = [name for name, one, other in pairs if one != other]
        values = [dict(zip(names, row.values, strict=True)) for row in (left, right)]
        return ["different", self._named(left.key), columns, *values]

    def _named(self, key: Key) -> dict[str, str]:
        return dict(zip(self._key, key, strict=True))

    def _both(self, work: Callable[[Side], T]) -> tuple[T, T]:
        if self._pool is None:
            return work(self._left), work(self._right)
        other = self._pool.submit(work, self._right)
        try:
            one = work(self._left)
        except BaseException:
            other.exception()  # its connection must be free before this one's error goes on
            raise
        return one, other.result()


def _keys_beside(rows: Sequence[_Row], equal: AbstractSet[_Row]) -> list[Key]:
    """Return the keys of the rows that are not among the equal ones."""
    if len({row[:-2] for row in rows}) < len(rows):
        raise PermanentFailure(
            "The key does not tell rows apart: several have the same one. Give more columns "
            "as `key`.", "KeyNotUnique",
        )  # fmt: skip
    return [tuple(part or "" for part in row[:-2]) for row in rows if row not in equal]


def _inside(whole: KeyRange, keys: Sequence[Key]) -> list[Key]:
    """Return distinct keys that leave no part without rows by themselves."""
    return [key for key in dict.fromkeys(keys) if key != whole.low]

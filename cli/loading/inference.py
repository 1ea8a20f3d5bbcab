"""PostgreSQL types for columns of text, from every value of the file.

A type is inferred only where it keeps each value: `007` stays text, a number with a point becomes
numeric and not a binary fraction, and digits of a second beyond the sixth keep a column text.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

Holds = Callable[[pa.StringArray], bool]

_WHOLE = "(?:0|[1-9][0-9]*)"
_DECIMAL = rf"(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_ZONE = "(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"


def _matches(pattern: str) -> Holds:
    anchored = f"^(?:{pattern})$"

    def holds(values: pa.StringArray) -> bool:
        return bool(pc.all(pc.match_substring_regex(values, anchored)).as_py())

    return holds


def _reads_as(type_: pa.DataType, pattern: str) -> Holds:
    matches = _matches(pattern)

    def holds(values: pa.StringArray) -> bool:
        if not matches(values):
            return False
        try:
            pc.cast(values, type_)
        except pa.ArrowInvalid:
            return False
        return True

    return holds


def _in_our_era(holds: Holds) -> Holds:
    """Refuse the year 0000, which PostgreSQL does not know."""
    first_year = _matches("0000-.*")

    def checked(values: pa.StringArray) -> bool:
        return holds(values) and not first_year(values)

    return checked


# Each family goes from narrow to wide, and the wider type takes all that the narrower one does, so
# a column only ever moves on; a value that the widest does not take ends the family.
_FAMILIES: tuple[tuple[tuple[str, Holds], ...], ...] = (
    (
        ("integer", _reads_as(pa.int32(), f"-?{_WHOLE}")),
        ("bigint", _reads_as(pa.int64(), f"-?{_WHOLE}")),
        ("numeric", _matches(f"[+-]?{_DECIMAL}")),
        ("double precision", _matches(f"(?i)[+-]?(?:{_DECIMAL}(?:e[+-]?[0-9]+)?|inf|nan)")),
    ),
    (("boolean", _matches("(?i)true|false|t|f")),),
    (
        ("date", _in_our_era(_reads_as(pa.date32(), _DATE))),
        (
            "timestamp",
            _in_our_era(_reads_as(pa.timestamp("us"), f"{_DATE}(?:[ T]{_TIME})?")),
        ),
    ),
    (
        (
            "timestamptz",
            _in_our_era(_reads_as(pa.timestamp("us", "UTC"), f"{_DATE}[ T]{_TIME}{_ZONE}")),
        ),
    ),
    (("time", _matches(_CLOCK)),),
    (("uuid", _matches("(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")),),
)


class ColumnInference:
    """Finds one column's type, a block of values at a time, in constant memory."""

    def __init__(self) -> None:
        self._levels: dict[int, int] = dict.fromkeys(range(len(_FAMILIES)), 0)
        self._seen = False

    @property
    def type(self) -> str:
        """The narrowest type that takes every value seen; text where none does."""
        for family, level in self._levels.items():
            return _FAMILIES[family][level][0] if self._seen else "text"
        return "text"

    def see(self, values: pa.StringArray) -> None:
        """Take more values into account; NULLs fit every type."""
        if not self._levels:
            return
        present = values.drop_null()
        if len(present) == 0:
            return
        self._seen = True
        for family in list(self._levels):
            types = _FAMILIES[family]
            while not types[self._levels[family]][1](present):
                if self._levels[family] + 1 == len(types):
                    del self._levels[family]
                    break
                self._levels[family] += 1


def infer(columns: Sequence[ColumnInference], batch: pa.RecordBatch) -> None:
    """Let each column see its values of a batch."""
    for column, values in zip(columns, batch.columns, strict=True):
        column.see(values)

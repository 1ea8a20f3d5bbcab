"""Rows of NDJSON: a JSON object (RFC 8259) a line."""

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from hashing.errors import RowRefused
from hashing.rows import encode_row
from worker.rows.batch import Batch, RowBroken
from worker.rows.one_by_one import read_one_by_one
from worker.rows.records import Lines
from worker.rows.scanner import Window
from worker.rows.spec import RowEncoding

LONGEST_SAID = 100  # characters of a name that stands in a reason


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise RowBroken(f"member {_said(twice)} stands there twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise RowBroken(f"{text} is no JSON")


_DECODER = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_object
)


class NdjsonRows:
    """Reads rows; `columns` are the names of the members that are hashed."""

    def __init__(self, encoding: RowEncoding, limit: int, columns: Sequence[str]) -> None:
        self.form = Lines(limit)
        self._encoding = encoding
        self._columns = columns

    def read(self, window: Window) -> Batch:
        """Return the window's rows."""
        records = window.records or self.form.split(window.data)
        return read_one_by_one(records, window.at, self._value)

    def _value(self, record: bytes) -> bytes:
        """Return what is hashed of one record.  Raises RowBroken."""
        if self._encoding == "raw":
            return record
        row = _parsed(record)
        try:
            chosen = [row[name] for name in self._columns]
        except KeyError as error:
            raise RowBroken(f"no member {_said(error.args[0])}") from error
        for name, value in zip(self._columns, chosen, strict=True):
            if isinstance(value, dict | list):
                kind = "an object" if isinstance(value, dict) else "an array"
                raise RowBroken(f"member {_said(name)} is {kind}")
        if self._encoding == "canonical":
            try:
                return encode_row(chosen)
            except RowRefused as error:
                name = self._columns[error.column]
                raise RowBroken(f"member {_said(name)}: {error.reason}") from error
        (value,) = chosen
        if not isinstance(value, str):
            raise RowBroken(f"member {_said(self._columns[0])} is no string")
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise RowBroken("half of a surrogate pair has no UTF-8.") from error


def _parsed(record: bytes) -> dict[str, Any]:
    try:
        row = _DECODER.decode(record.decode())
    except UnicodeDecodeError as error:
        raise RowBroken(f"no valid utf-8: byte {error.start} of the record") from error
    except json.JSONDecodeError as error:
        raise RowBroken(f"no JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise RowBroken("nested too deeply") from error
    except (ValueError, InvalidOperation) as error:
        raise RowBroken("a number has too many digits") from error
    if not isinstance(row, dict):
        raise RowBroken("no JSON object")
    return row


def _said(name: str) -> str:
    """Return a name as it may stand in a reason: short, and valid text."""
    return json.dumps(name if len(name) <= LONGEST_SAID else name[:LONGEST_SAID] + "…")

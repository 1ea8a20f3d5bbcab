"""The grammar of header fields, in requests, responses and trailers."""

import re
from functools import lru_cache
from typing import NamedTuple

# No white space before the colon, no folded line, no control character, no bare CR or LF
# (RFC 9112 section 5).  Possessive, so that a hostile line costs no more time than a good one.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)")

# what no complete or incomplete head may hold: control characters, LF without CR, CR without LF
_MALFORMED = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r[^\n]")

# Longer heads are not remembered, so that memory is bounded.
REMEMBERED_BYTES = 2048


class BadField(Exception):
    """A line is no header field."""


class Field(NamedTuple):
    """`name` in lower case; `value` without white space around; `line` as it is passed on."""

    name: bytes
    value: bytes
    line: bytes


def split_fields(lines: list[bytes], size: int) -> list[Field]:
    """Return the fields that `lines` are, of a head of `size` bytes.  Raises BadField."""
    return list(map(_remembered if size <= REMEMBERED_BYTES else _field, lines))


def _field(line: bytes) -> Field:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise BadField
    name, value = match[1], match[2].rstrip(b" \t")
    return Field(name.lower(), value, b"%b: %b\r\n" % (name, value))


# Even where heads differ, most of their lines have been seen before.
_remembered = lru_cache(4096)(_field)


def is_malformed(begun: bytes, position: int = 0) -> bool:
    """Tell whether no head can begin with `begun`, of which the part to `position` is good.

    Told as early as can be: else a sender of bare LF would wait for an answer until a timeout.
    """
    return _MALFORMED.search(begun, position) is not None

"""The grammar of heads, requests' and responses': what one regular expression can tell."""

import re

from lb.wire.fields import Fields

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# No white space before the colon, no folded line, no control character, no bare CR or LF
# (RFC 9112 section 5).  Possessive, so that a hostile head costs no more time than a good one.
FIELD_LINES = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"

_FIELD = re.compile(rb"([^:]++):[ \t]*+((?:[^\r]*[^ \t\r])?)[ \t]*+\r\n")

# what no complete or incomplete head may hold: control characters, LF without CR, CR without LF
_MALFORMED = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r[^\n]")


def split_fields(lines: bytes) -> Fields:
    """Return names and values, without white space around these, of lines that FIELD_LINES is."""
    return _FIELD.findall(lines)


def is_malformed(begun: bytes, position: int = 0) -> bool:
    """Tell whether no head can begin with `begun`, of which the part to `position` is good.

    Told as early as can be: else a sender of bare LF would wait for an answer until a timeout.
    """
    return _MALFORMED.search(begun, position) is not None

"""What failures have in common: errors whose texts differ only in what they are about."""

import re

LONGEST = 200

# in this order: an id holds digits, and a quoted name may hold anything
_VARYING = (
    (re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`"), "…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "#"),
    (re.compile(r"\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), "#"),
    (re.compile(r"\d+(?:\.\d+)?"), "#"),
    (re.compile(r"\s+"), " "),
)


def cause_of(error_class: str, error: str) -> str:
    """Return a name for all errors of that kind: `ValueError: row # is not …`.

    Quoted text, numbers and ids are left out; what remains is cut at 200 characters.
    """
    for pattern, mark in _VARYING:
        error = pattern.sub(mark, error)
    return f"{error_class}: {error.strip()}"[:LONGEST]

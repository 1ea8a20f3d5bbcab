"""The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07)."""

import re

from flask import request

from app.problem_types import IDEMPOTENCY_KEY_INVALID
from app.problems import Problem

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
# a string of RFC 9651 section 3.3.3; the draft knows no parameters behind it
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-~][ -~]*")


def idempotency_key() -> str | None:
    """Return the key of the current request; None without one.

    A structured-field string, as the draft has it, or the bare text, which many clients send.
    Raises Problem.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    key = read_key(given)
    if key is None:
        raise Problem(
            IDEMPOTENCY_KEY_INVALID,
            f"The {HEADER} is not 1 to {LONGEST_KEY} printable ASCII characters.",
        )
    return key


def read_key(given: str) -> str | None:
    """Return the key that a header's value stands for; None if it is no key."""
    text = given.strip(" \t")
    quoted = _STRING.fullmatch(text)
    if quoted:
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _BARE.fullmatch(text):
        key = text
    else:
        return None
    return key if 1 <= len(key) <= LONGEST_KEY else None

"""Parameters in the URL after `?`, checked."""

import re
from collections.abc import Sequence

from flask import request

from app.problem_types import VALIDATION_FAILED
from app.problems import Problem

FLAG = ("true", "false")


def one_of(name: str, values: Sequence[str]) -> str | None:
    """Return the parameter, which must be one of `values`; None when it is not given."""
    given = request.args.get(name)
    if given is None or given in values:
        return given
    raise _refused(name, f"is none of {', '.join(values)}. Send one of these")


def flag(name: str) -> bool:
    """Return whether the parameter is given as `true`."""
    return one_of(name, FLAG) == "true"


def whole_number(name: str, *, least: int, most: int) -> int | None:
    """Return the parameter as a number from `least` to `most`; None when it is not given."""
    given = request.args.get(name)
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", given) or not least <= int(given) <= most:
        raise _refused(name, f"is no whole number from {least} to {most}. Send one")
    return int(given)


def text(name: str) -> str | None:
    """Return the parameter as it is; None when it is not given.  Raises Problem for a null byte."""
    given = request.args.get(name)
    if given is not None and "\0" in given:
        raise _refused(name, "holds a null byte. Leave it out")
    return given


def _refused(name: str, what: str) -> Problem:
    return Problem(VALIDATION_FAILED, f"The URL's parameter {name} {what}.")

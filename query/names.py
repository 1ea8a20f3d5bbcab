"""The names in a statement, by what stands beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from query.lexer import Token


@dataclass(frozen=True)
class Names:
    """`called` stand before a parenthesis, in lower case, `called_schemas` before those.

    `before_dot` stand before a dot somewhere, `alone` are not before one somewhere, and
    `before_two_dots` begin a name of three parts or more.
    `parameters` is the highest n of `$n`.
    """

    called: frozenset[str]
    called_schemas: frozenset[str]
    before_dot: frozenset[str]
    before_two_dots: frozenset[str]
    alone: frozenset[str]
    parameters: int


def names_of(tokens: Sequence[Token]) -> Names:
    """Return the names in `tokens`."""
    called, schemas, alone = set(), set(), set()
    before_dot, before_two_dots = set(), set()
    parameters = 0
    for place, (kind, text, _) in enumerate(tokens):
        if kind == "parameter":
            # the protocol allows 65,535: a number of many digits would take its time to read
            parameters = max(parameters, int(text[:6]))
        if kind not in ("word", "name"):
            continue
        after = _mark(tokens, place + 1)
        if after == ".":
            before_dot.add(text)
            if _mark(tokens, place + 3) == ".":
                before_two_dots.add(text)
            continue
        alone.add(text)
        if after == "(":
            called.add(text.lower())
            if place >= 2 and _mark(tokens, place - 1) == "." and tokens[place - 2].is_identifier:
                schemas.add(tokens[place - 2].text)
    return Names(
        frozenset(called), frozenset(schemas), frozenset(before_dot), frozenset(before_two_dots),
        frozenset(alone), parameters,
    )  # fmt: skip


def _mark(tokens: Sequence[Token], place: int) -> str:
    """Return the mark at `place`, nothing where another kind of token is."""
    if place >= len(tokens):
        return ""
    kind, text, _ = tokens[place]
    return text if kind == "mark" else ""

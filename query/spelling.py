"""One spelling for all texts of a statement that PostgreSQL's lexer reads alike.

By tokens and not by a parsed tree: two texts with one spelling are the same statement to
PostgreSQL even where our parser understands less than PostgreSQL does.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from query.lexer import Token, lex

BLANKS = " \t\n\r\f\v"
# marks that make another token, or another meaning, when they touch their neighbour
TOUCHING = frozenset("+-*/<>=~!@#%^&|`?:.")
CAPITALS = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Spelling:
    """A statement's one `text`, its tokens, and its strings with their quotes."""

    text: str
    tokens: tuple[Token, ...]
    strings: tuple[str, ...]


def spell(sql: str) -> Spelling | None:
    """Return the spelling; spaces, comments, and the case of what is not quoted do not matter.

    None where strings join in ways that only PostgreSQL may judge.  Raises SyntaxRefused and
    StatementRefused.
    """
    lexed = lex(sql)
    tokens = list(lexed.tokens)
    while tokens and tokens[-1].is_mark(";"):
        tokens.pop()
    ends = [token.offset for token in lexed.tokens[1:]] + [len(lexed.text)]
    raw = [
        lexed.text[token.offset : end].rstrip(BLANKS)
        for token, end in zip(lexed.tokens, ends, strict=True)
    ][: len(tokens)]
    for before, after in pairwise(tokens):
        if after.kind == "string" and (before.kind == "string" or before.is_mark("&")):
            return None
    parts = []
    for place, (token, text) in enumerate(zip(tokens, raw, strict=True)):
        if place:
            touches = tokens[place - 1].offset + len(raw[place - 1]) == token.offset
            parts.append("" if touches and _matters(tokens[place - 1], token) else " ")
        # ASCII alone is folded, as PostgreSQL does in UTF-8
        is_folded = token.kind in ("word", "number")
        parts.append(CAPITALS.sub(lambda match: match[0].lower(), text) if is_folded else text)
    strings = (text for token, text in zip(tokens, raw, strict=True) if token.kind == "string")
    return Spelling("".join(parts), tuple(tokens), tuple(strings))


def _matters(before: Token, after: Token) -> bool:
    """Tell whether it makes a difference that no blank stands between the two."""
    if after.kind == "string":
        return before.kind == "word"  # b'1' is a string of bits, and b '1' is a cast
    return (
        before.kind == after.kind == "mark" and before.text in TOUCHING and after.text in TOUCHING
    )

"""PostgreSQL's lexical rules: where strings, comments and names begin and end in its eyes.

What may be asked is judged by these tokens and not by our parser's, whose rules differ in corners
(nested comments, carriage returns, blanks of Unicode): a name must not hide in a difference.
Source: PostgreSQL, "Lexical Structure", with standard_conforming_strings on.
"""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from query.errors import StatementRefused, SyntaxRefused

Kind = Literal["word", "name", "string", "number", "parameter", "mark"]

_FIRST = r"A-Za-z_\u0080-\U0010ffff"
_LETTER = rf"[{_FIRST}0-9$]"
# where a string goes on behind a line break, it goes on by the rules that it began with
_GOES_ON = r"(?:[ \t\f\v]|--[^\n\r]*+)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*'"
# Before 3.11.5, Python matches some groups of alternatives wrongly that give nothing back: `)*+`.
# So a string with escapes is one whose last quote no other string could follow.
# plain blanks go with the token behind them; the most frequent kinds stand first
_TOKEN = re.compile(
    rf"""[ \n\r]*+(?:
    (?P<word>(?![eE]'|[uU]&")[{_FIRST}]{_LETTER}*+)
  | (?P<blank>[\t\f\v]++ | --[^\n\r]*+)
  | (?P<comment>/\*)
  | (?P<escaped>[eE]'(?:[^'\\]++|\\.|''|'{_GOES_ON})*'(?!'|{_GOES_ON}))
  | (?P<cut>[eE]')
  | (?P<unicode>[uU]&")
  | (?P<string>'(?:[^']|'')*+')
  | (?P<dollars>\$(?P<tag>(?:[{_FIRST}][{_FIRST}0-9]*+)?)\$.*?\$(?P=tag)\$)
  | (?P<name>"(?:[^"]|"")++")
  | (?P<parameter>\$[0-9]++)
  | (?P<number>0[xX][0-9a-fA-F_]++ | 0[oO][0-7_]++ | 0[bB][01_]++
      | (?:[0-9][0-9_]*+(?:\.(?!\.)[0-9_]*+)? | \.[0-9][0-9_]*+)(?:[eE][+-]?[0-9]++)?)
  | (?P<open>['"] | \$(?:[{_FIRST}][{_FIRST}0-9]*+)?\$)
  | (?P<mark>.)
  | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
# PostgreSQL's lexer reads what follows of such a run anew for each sign or comment in it, and
# nothing interrupts it: 100 kB of "/*" take it a quarter of a minute.
_LONG_RUN = re.compile(r"[-~!@#^&|`?+*/%<>=]{257}")
_NOT_BLANK = re.compile(r"[^\n\r]")
_STRINGS = frozenset({"string", "escaped", "dollars"})


class Token(NamedTuple):
    """A token and its offset in characters, from 0.

    The text of a word is in lower case, that of a name in its quotes is what it means; of a
    string none is kept.  A mark is one character.
    """

    kind: Kind
    text: str
    offset: int

    def is_mark(self, text: str) -> bool:
        """Tell whether it is this one character, and not a name of that text."""
        return self.kind == "mark" and self.text == text

    @property
    def is_identifier(self) -> bool:
        """Tell whether it can name something; a word may also be a key word."""
        return self.kind in ("word", "name")


@dataclass(frozen=True)
class Lexed:
    """The tokens of a text, and the text with blanks for its comments: offsets are the same."""

    tokens: tuple[Token, ...]
    text: str


def lex(sql: str) -> Lexed:
    """Return the tokens.  Raises SyntaxRefused where PostgreSQL's own lexer fails as well."""
    if "\x00" in sql:
        raise SyntaxRefused("The statement contains a null character.", "Remove it.")
    tokens: list[Token] = []
    pieces: list[str] = []
    copied = place = 0
    has_long_run = _LONG_RUN.search(sql) is not None
    while place < len(sql):
        for match in _TOKEN.finditer(sql, place):
            kind = match.lastgroup or ""
            start, place = match.span(kind)
            if has_long_run and kind in ("mark", "comment") and _LONG_RUN.match(sql, start):
                raise _too_many_signs(start)
            if kind == "comment":
                place = _end_of_comment(sql, start)
            if kind in ("comment", "blank"):
                pieces += [sql[copied:start], _NOT_BLANK.sub(" ", sql[start:place])]
                copied = place
                if kind == "comment":
                    break  # the search goes on behind it
            elif kind != "end":
                tokens.append(_token(kind, match[kind], start))
    return Lexed(tuple(tokens), "".join([*pieces, sql[copied:]]))


def _token(kind: str, text: str, place: int) -> Token:
    if kind == "word":
        return Token("word", text.lower(), place)
    if kind == "mark":
        return Token("mark", text, place)
    if kind in _STRINGS:
        return Token("string", "", place)
    if kind == "number":
        return Token("number", text, place)
    if kind == "name":
        return Token("name", text[1:-1].replace('""', '"'), place)
    if kind == "parameter":
        return Token("parameter", text[1:], place)
    if kind == "unicode":
        # what it means may only be told behind it, by UESCAPE
        raise StatementRefused(
            'Names with escapes (U&"…") are not allowed.',
            "Write the characters themselves.",
            position=place + 1,
        )
    raise _unclosed(place)  # cut, open


def _end_of_comment(sql: str, place: int) -> int:
    depth = 0
    end = None
    for mark in _COMMENT_MARK.finditer(sql, place):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            end = mark.end()
            break
    if _LONG_RUN.search(sql, place, len(sql) if end is None else end):
        raise _too_many_signs(place)
    if end is None:
        raise _unclosed(place)
    return end


def _too_many_signs(place: int) -> StatementRefused:
    return StatementRefused(
        "A row of more than 256 signs is not allowed.", "Put blanks in.", position=place + 1
    )


def _unclosed(place: int) -> SyntaxRefused:
    return SyntaxRefused(
        "A quote or comment that begins here does not end.", "Close it.", position=place + 1
    )

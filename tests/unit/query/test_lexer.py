"""Texts are cut as PostgreSQL cuts them."""

import pytest

from query.errors import QueryError, StatementRefused, SyntaxRefused
from query.lexer import lex


def words(sql: str) -> list[str]:
    return [token.text for token in lex(sql).tokens if token.is_identifier]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a/* /* b */ c */d", ["a", "d"]),
        ("a -- b\rc", ["a", "c"]),
        ("a+--b\nc", ["a", "c"]),
        ("a*/* b */c", ["a", "c"]),
        ("'a''b' c", ["c"]),
        (r"'a\' b --'", ["b"]),
        (r"E'a\' b' c", ["c"]),
        ("E'a'\n  'b\\' c' d", ["d"]),
        ("E'a' -- x\n -- y\n'b\\' c' d", ["d"]),
        ("'a'\n'b\\' c", ["c"]),
        ("$$ a $$ b", ["b"]),
        ("$x$ a $$ $y$ $x$ b", ["b"]),
        ("a$x$ b", ["a$x$", "b"]),
        ("$1$x$ a $x$ b", ["b"]),
        ('"A ""b" C', ['A "b', "c"]),
        ("U&'a' b", ["u", "b"]),
        ("a\u00a0b", ["a\u00a0b"]),
        ("1e5a .5b 0x1Fg", ["a", "b", "g"]),
    ],
)
def test_names_are_those_outside_of_strings_and_comments(sql: str, expected: list[str]) -> None:
    assert words(sql) == expected


def test_comments_become_blanks_and_all_else_keeps_its_place() -> None:
    sql = "a /* x\n/* y */ */ b --z\n'--c'"
    assert lex(sql).text == "a     \n           b    \n'--c'"
    assert [sql[token.offset] for token in lex(sql).tokens] == ["a", "b", "'"]


@pytest.mark.parametrize("sql", ["'", '"', '""', "/* /* */", "$$", "$a$ $b$", r"E'\'", "a\0"])
def test_what_does_not_end_is_a_syntax_error(sql: str) -> None:
    with pytest.raises(SyntaxRefused):
        lex(sql)


def test_escapes_in_names_are_refused() -> None:
    with pytest.raises(StatementRefused):
        lex(r'SELECT U&"set\005fconfig"()')


@pytest.mark.parametrize(
    "sql",
    ["SELECT " + "+" * 300 + "1", "/*" * 150, "/**/" * 80, "/* " + "/**/" * 80 + " */ SELECT 1",
     "SELECT 1 " + "<=/" * 100 + " 1", "/" + "*" * 300 + "/ SELECT 1"],
)  # fmt: skip
def test_long_rows_of_signs_are_refused_since_postgresql_reads_them_again_and_again(
    sql: str,
) -> None:
    with pytest.raises(StatementRefused, match="256 signs"):
        lex(sql)


@pytest.mark.parametrize(
    "sql", ["SELECT '" + "+" * 300 + "'", "SELECT 1 " + "-" * 300, "/" + "*" * 80 + "/ SELECT 1"]
)
def test_signs_in_strings_and_rulers_are_fine(sql: str) -> None:
    assert lex(sql).tokens[0].text == "select"


@pytest.mark.parametrize(
    "piece",
    ["'", '"', "$", "$a$", "E'", "'\n", "/*", "--", "$a", "E'a'\n --", "\t", "a", "1", ".", "1e",
     "0x", "\n'", "(", "é"],
)  # fmt: skip
def test_no_text_takes_more_than_linear_time(piece: str) -> None:
    """A quadratic rule would take minutes here, and the suite's own limit would end it."""
    for text in (piece * 30_000, "E'a'" + piece * 30_000):
        try:
            assert len(lex(text).tokens) <= len(text)
        except QueryError as error:
            assert error.position is not None  # noqa: PT017 - either way is fine

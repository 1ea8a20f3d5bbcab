"""Which texts are one statement."""

import pytest

from query.errors import SyntaxRefused
from query.spelling import spell


def text_of(sql: str) -> str | None:
    spelling = spell(sql)
    return spelling.text if spelling else None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT Grp, Count(*) FROM T", "select grp ,count( * )\n\tfrom t;"),
        ("select a -- it\n from t", "select a /* is /* the */ same */ from t ;;"),
        ("SELECT 1E5, 0XFF, x AS Label", "select 1e5,0xff,X as label"),
        ('SELECT "A" FROM t', 'select"A"from t'),
        ("SELECT $1::int", "select $1::INT"),
    ],
)
def test_case_blanks_and_comments_do_not_matter(one: str, other: str) -> None:
    assert text_of(one) == text_of(other)
    assert text_of(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('SELECT 1 AS "A"', "SELECT 1 AS a"),
        ("SELECT 'a'", "SELECT 'A'"),
        ("SELECT 'a  b'", "SELECT 'a b'"),
        ("SELECT '--'", "SELECT ''"),
        ("SELECT a FROM Ä", "SELECT a FROM ä"),
        ("SELECT $$A$$", "SELECT $$a$$"),
        ("SELECT b'1'", "SELECT b '1'"),
        ("SELECT a <= b", "SELECT a < = b"),
        ("SELECT 1.5e-3", "SELECT 1.5e - 3"),
        ("SELECT 1 .5", "SELECT 1.5"),
        ("SELECT a :: int", "SELECT a : : int"),
        ("SELECT $1", "SELECT $2"),
        ("SELECT E'a'", "SELECT 'a'"),
        ("SELECT ab", "SELECT a b"),
    ],
)
def test_what_means_another_thing_has_another_spelling(one: str, other: str) -> None:
    assert text_of(one) != text_of(other)


@pytest.mark.parametrize("sql", ["SELECT 'a'\n'b'", "SELECT 'a' 'b'", "SELECT u&'\\0061'"])
def test_strings_that_join_have_no_spelling(sql: str) -> None:
    assert spell(sql) is None


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(SyntaxRefused):
        spell("SELECT 'a")

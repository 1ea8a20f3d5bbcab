"""The drill's own idea of what is right agrees with what is documented."""

import hashlib
from decimal import Decimal

from cli.drill.plain import rows_of, text_of
from cli.drill.row_digest import SHORT, digest_of
from hashing.rows import encode_row


def test_rows_from_postgresql_and_from_json_are_one_text() -> None:
    body = b'{"rows": [["g1", 12345678901234567890, 1.50, null, 7]]}'
    rows = rows_of(body)
    assert rows is not None
    known = [("g1", Decimal(12345678901234567890), Decimal("1.50"), None, 7)]
    assert text_of(rows) == text_of(known)
    assert text_of(rows) != text_of(
        [("g1", Decimal(12345678901234567890), Decimal("1.5"), None, 7)]
    )


def test_an_answer_without_rows_has_none() -> None:
    assert rows_of(b"{}") is None
    assert rows_of(b"[1]") is None
    assert rows_of(b"not json") is None


def test_a_rows_digest_is_that_of_the_documented_encoding() -> None:
    row: list[int | str] = [1, "Ann", -20, "é"]
    assert digest_of(row) == hashlib.sha256(encode_row(row)).hexdigest()[:SHORT]

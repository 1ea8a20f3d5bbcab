# ruff: noqa: E501 - SQL reads best on one line
"""Values as JSON: PostgreSQL's own `to_json` is the oracle."""

import json
from decimal import Decimal

import pytest

from app.queries.encoding import encode_rows
from app.queries.service import QueryService
from tests.integration.queries.test_exactness import ask

COLUMNS = [
    "id", "small", "big", "n", "v", "r", "amount", "free", "grp", "code", "vc", "name_c", "flag", "d",
    "ts", "tz", "tm", "u", "raw", "doc", "m", "list",
]  # fmt: skip
LITERALS = [
    "'NaN'::numeric", "'-Infinity'::numeric", "1e30::float8", "1e-7::float8", "'1.10'::numeric",
    "9223372036854775807", "'infinity'::timestamptz", "'-infinity'::date", "timestamp '0044-03-15 BC'",
    "timestamptz '2024-02-29 12:00:00.123456+05:30'", "time '23:59:59.5'", "timetz '10:00+05:30'",
    "ARRAY['a,b', 'c\"d', NULL, '', 'NULL', e'back\\\\slash', '{}']", "ARRAY[[1,2],[3,NULL]]", "'{}'::int[]",
    "ARRAY[true,false,NULL]", "ARRAY[1.5,'NaN']::float8[]", "ARRAY[0.10, 2]::numeric[]",
    "ARRAY[timestamp '2024-01-01 10:00']", "'[0:1]={5,6}'::int[]", "e'tab\\t quote\" newline\\n ü 😀 \\x01'::text",
    "'{\"a\": [1, 2.50, null]}'::jsonb", "e'{\"a\":\\n 1.10}'::json", "'x'::\"char\"", "interval '1 month -2 days'",
    "ARRAY['{\"k\": 1}'::jsonb]", "int4range(1, 5)", "point '(1,2)'", "'10.0.0.1'::inet", "NULL::int", "''::text",
]  # fmt: skip


def decoded(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def ours(service: QueryService, sql: str) -> object:
    answer = ask(service, sql, "direct")
    return decoded(encode_rows(answer.columns, answer.rows))


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_are_encoded_as_to_json_does(service: QueryService, column: str) -> None:
    mine = ours(service, f"SELECT {column} FROM t ORDER BY id LIMIT 200")
    theirs = ask(service, f"SELECT to_json({column}) FROM t ORDER BY id LIMIT 200", "direct")
    assert mine == [[None if row[0] is None else decoded(row[0])] for row in theirs.rows]


@pytest.mark.parametrize("literal", LITERALS)
def test_values_are_encoded_as_to_json_does(service: QueryService, literal: str) -> None:
    mine = ours(service, f"SELECT {literal}")
    ((text,),) = ask(service, f"SELECT to_json({literal})", "direct").rows
    assert mine == [[None if text is None else decoded(text)]]


def test_digits_survive(service: QueryService) -> None:
    answer = ask(
        service, "SELECT 12345678901234567890.10::numeric, 9007199254740993::int8", "direct"
    )
    assert (
        encode_rows(answer.columns, answer.rows) == "[[12345678901234567890.10,9007199254740993]]"
    )
    as_text = encode_rows(answer.columns, answer.rows, numbers_as_strings=True)
    assert as_text == '[["12345678901234567890.10","9007199254740993"]]'

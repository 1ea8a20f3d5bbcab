"""Operators' paths: however a path is spelled, nobody gets past without the token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.operator_paths import OperatorPaths

TOKEN = "correct-horse"
PATHS = OperatorPaths([b"/metrics", b"/v1/cache", b"/v1/tables/*/acceleration"], TOKEN)


@pytest.mark.parametrize(
    "target",
    [
        b"/metrics", b"/metrics/", b"/metrics?x=/v1", b"/v1/cache", b"/v1/cache/invalidate",
        b"/%6detrics", b"//metrics", b"/v1//cache", b"/v1/./cache", b"/v1/x/../cache",
        b"/v1/tables/t/acceleration", b"/v1/tables/%22a.b%22/acceleration?x",
        b"/v1/tables/%0a/acceleration",
        b"/v1/tables/a;b/acceleration", b"/v1/tables/../tables/t/%61cceleration/",
        b"/v1/%2e%2e/metrics", b"/v1%2Fcache", b"/metrics;a=b", b"/v1/cache;a/invalidate",
    ],
)  # fmt: skip
def test_a_path_for_operators_wants_the_token(target: bytes) -> None:
    assert PATHS.bar(target, None)
    assert PATHS.bar(target, b"Bearer wrong")
    assert PATHS.bar(target, b"Basic " + TOKEN.encode())
    assert not PATHS.bar(target, b"Bearer " + TOKEN.encode())
    assert not PATHS.bar(target, b"bearer  " + TOKEN.encode())


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/metricsx",
        b"/v1/query",
        b"/v1/caches",
        b"*",
        b"/v1/tables",
        b"/v1/tables/t",
        b"/v1/tables/acceleration",
        b"/v1/tables/t/accelerations",
    ],
)
def test_other_paths_want_none(target: bytes) -> None:
    assert not PATHS.bar(target, None)


def test_without_a_token_nobody_is_barred() -> None:
    assert not OperatorPaths([b"/metrics"], "").bar(b"/metrics", None)


@given(st.lists(st.booleans(), min_size=8, max_size=8))
def test_encoding_any_characters_leads_nobody_past(encoded: list[bool]) -> None:
    letters = [b"%%%02X" % byte if code else bytes([byte])
               for byte, code in zip(b"/metrics", encoded, strict=True)]  # fmt: skip
    target = b"/" + b"".join(letters)[1:] if not encoded[0] else b"/" + b"".join(letters)
    assert PATHS.bar(target, None)

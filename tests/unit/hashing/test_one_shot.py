"""Digests of small values, compared with the hashers that take data piece by piece."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.digester import Digester
from hashing.errors import OptionRefused
from hashing.one_shot import one_shot
from hashing.options import Options, construction
from hashing.registry import REGISTRY

DIGESTER = Digester({})
OPTIONS = [
    Options(),
    Options(length=20),
    Options(key=bytes(range(32))),
    Options(key=b"key", hmac=True),
    Options(key=bytes(200), hmac=True),
    Options(salt=b"salt", person=b"person"),
    Options(context="rows of a test"),
    Options(context="rows of a test", length=7),
    Options(key=bytes(range(32)), length=9),
    Options(seed=12345),
]


@pytest.mark.parametrize("name", REGISTRY)
@settings(deadline=None)
@given(value=st.binary(max_size=300))
def test_one_value_has_the_same_digest_as_by_a_hasher(name: str, value: bytes) -> None:
    known = REGISTRY[name]
    tried = 0
    for options in OPTIONS:
        try:
            kind = construction(known, options)
        except OptionRefused:
            continue
        tried += 1
        assert one_shot(known, options, kind)(value) == DIGESTER.digest(name, value, options)
    assert tried

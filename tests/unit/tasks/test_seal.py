"""Sealed payloads: unreadable, unchangeable, and bound to their request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import MessageMalformed
from tasks.seal import NONCE_BYTES, Seal

SEAL = Seal(bytes(range(32)))


@given(data=st.binary(max_size=200), name=st.text(max_size=24))
def test_what_is_closed_opens_again(data: bytes, name: str) -> None:
    sealed = SEAL.close("password task", name, data)
    assert Seal(bytes(range(32))).open("password task", name, sealed) == data
    assert len(data) < 4 or data not in sealed
    assert SEAL.close("password task", name, data) != sealed


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(place: int, bit: int) -> None:
    sealed = bytearray(SEAL.close("password answer", "a", b"valid: false"))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(MessageMalformed):
        SEAL.open("password answer", "a", bytes(sealed))


def test_it_opens_for_its_own_purpose_name_and_key_alone() -> None:
    sealed = SEAL.close("password task", "a", b"data")
    with pytest.raises(MessageMalformed):
        SEAL.open("password task", "b", sealed)
    with pytest.raises(MessageMalformed):
        SEAL.open("password answer", "a", sealed)
    with pytest.raises(MessageMalformed):
        Seal(bytes(32)).open("password task", "a", sealed)


@pytest.mark.parametrize("size", [0, 1, NONCE_BYTES, NONCE_BYTES + 15])
def test_what_is_too_short_is_refused(size: int) -> None:
    with pytest.raises(MessageMalformed):
        SEAL.open("password task", "a", bytes(size))


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Seal(bytes(16))

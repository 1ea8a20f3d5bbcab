"""Key derivation against cryptography, and its limits."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.derivation import Derivation
from hashing.digester import Digester
from hashing.errors import OptionRefused, OutOfService

DERIVATION = Derivation(Digester({}), 100_000)
OTHERS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha512_256": hashes.SHA512_256(),
    "sha3_512": hashes.SHA3_512(),
}
BYTES = st.binary(max_size=200)


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=25)
@given(key=BYTES, salt=BYTES, info=BYTES, length=st.integers(1, 1000))
def test_hkdf_equals_that_of_cryptography(
    name: str, key: bytes, salt: bytes, info: bytes, length: int
) -> None:
    other = HKDF(OTHERS[name], length, salt, info).derive(key)
    assert DERIVATION.hkdf(name, key, salt, info, length) == other


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=25)
@given(key=BYTES, salt=BYTES, iterations=st.integers(1, 50), length=st.integers(1, 200))
def test_pbkdf2_equals_that_of_cryptography(
    name: str, key: bytes, salt: bytes, iterations: int, length: int
) -> None:
    other = PBKDF2HMAC(OTHERS[name], length, salt, iterations).derive(key)
    assert DERIVATION.pbkdf2(name, key, salt, iterations, length) == other


@pytest.mark.parametrize(
    ("iterations", "length", "option"),
    [
        (0, 32, "iterations"),
        (1, 0, "length"),
        (100_001, 32, "iterations"),
        (50_001, 33, "iterations"),
    ],
)
def test_pbkdf2_costs_no_more_than_is_allowed(iterations: int, length: int, option: str) -> None:
    with pytest.raises(OptionRefused) as caught:
        DERIVATION.pbkdf2("sha256", b"k", b"s", iterations, length)
    assert caught.value.option == option


@pytest.mark.parametrize("length", [0, 255 * 32 + 1])
def test_hkdf_returns_at_most_255_digests(length: int) -> None:
    assert len(DERIVATION.hkdf("sha256", b"k", b"", b"", 255 * 32)) == 255 * 32
    with pytest.raises(OptionRefused) as caught:
        DERIVATION.hkdf("sha256", b"k", b"", b"", length)
    assert caught.value.option == "length"


@pytest.mark.parametrize("name", ["blake3", "shake128", "crc32c"])
def test_only_hashes_with_hmac_derive_keys(name: str) -> None:
    with pytest.raises(OptionRefused) as caught:
        DERIVATION.hkdf(name, b"k", b"", b"", 32)
    assert caught.value.option == "algorithm"


def test_a_hash_out_of_service_derives_no_keys() -> None:
    with pytest.raises(OutOfService):
        Derivation(Digester({"sha256": "it is wrong"}), 10).hkdf("sha256", b"k", b"", b"", 32)

"""Digests against independent implementations, their options, and the registry."""

import hashlib
import hmac
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.digester import Digester
from hashing.errors import OptionRefused, UnknownAlgorithm
from hashing.options import Options
from hashing.registry import REGISTRY, algorithm

DIGESTER = Digester({})
DATA = st.binary(max_size=1000)
OTHERS: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "md5": hashes.MD5(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha512_224": hashes.SHA512_224(),
    "sha512_256": hashes.SHA512_256(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
    "blake2b": hashes.BLAKE2b(64),
    "blake2s": hashes.BLAKE2s(32),
}
PROGRAMS = {
    "md5": "md5sum", "sha1": "sha1sum", "sha224": "sha224sum", "sha256": "sha256sum",
    "sha384": "sha384sum", "sha512": "sha512sum", "blake2b": "b2sum",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=25)
@given(data=DATA)
def test_digests_equal_those_of_cryptography(name: str, data: bytes) -> None:
    other = hashes.Hash(OTHERS[name])
    other.update(data)
    assert DIGESTER.digest(name, data) == other.finalize()


@pytest.mark.parametrize("name", sorted(OTHERS.keys() - {"blake2b", "blake2s"}))
@settings(max_examples=25)
@given(data=DATA, key=st.binary(min_size=1, max_size=300))
def test_hmac_equals_that_of_cryptography(name: str, data: bytes, key: bytes) -> None:
    other = HMAC(key, OTHERS[name])
    other.update(data)
    assert DIGESTER.digest(name, data, Options(key=key)) == other.finalize()


@pytest.mark.parametrize("name", ["blake2b", "blake2s"])
@settings(max_examples=25)
@given(data=DATA, key=st.binary(min_size=1, max_size=300))
def test_hmac_on_blake2_is_made_as_rfc_2104_says(name: str, data: bytes, key: bytes) -> None:
    block = 128 if name == "blake2b" else 64
    plain = getattr(hashlib, name)
    padded = (key if len(key) <= block else plain(key).digest()).ljust(block, b"\0")
    inner = plain(bytes(byte ^ 0x36 for byte in padded) + data).digest()
    expected = plain(bytes(byte ^ 0x5C for byte in padded) + inner).digest()
    assert DIGESTER.digest(name, data, Options(key=key, hmac=True)) == expected


@pytest.mark.parametrize(("name", "shake"), [("shake128", "SHAKE128"), ("shake256", "SHAKE256")])
@settings(max_examples=25)
@given(data=DATA, length=st.integers(1, 500))
def test_shake_equals_that_of_cryptography_at_any_length(
    name: str, shake: str, data: bytes, length: int
) -> None:
    other = hashes.Hash(getattr(hashes, shake)(length))
    other.update(data)
    assert DIGESTER.digest(name, data, Options(length=length)) == other.finalize()


@pytest.mark.parametrize("name", PROGRAMS)
def test_digests_equal_those_of_the_systems_programs(name: str) -> None:
    program = shutil.which(PROGRAMS[name])
    if program is None:
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    for size in (0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 10_000):  # block edges
        data = bytes(index * 7 % 256 for index in range(size))
        done = subprocess.run([program], input=data, capture_output=True, check=True)
        assert DIGESTER.digest(name, data).hex() == done.stdout.decode().split()[0]


@pytest.mark.parametrize(("name", "mac"), [("blake2b", "BLAKE2BMAC"), ("blake2s", "BLAKE2SMAC")])
def test_blake2s_key_salt_person_and_length_equal_openssls(name: str, mac: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    known = algorithm(name)
    salt, person = b"salt".ljust(known.salt_bytes, b"!"), b"who".ljust(known.person_bytes, b"?")
    for length in (16, known.digest_bytes):
        options = Options(key=b"a key", salt=salt, person=person, length=length)
        argv = [openssl, "mac", "-macopt", "key:a key", "-macopt", f"hexsalt:{salt.hex()}"]
        argv += ["-macopt", f"custom:{person.decode()}", "-macopt", f"size:{length}", mac]
        done = subprocess.run(argv, input=b"message", capture_output=True, check=False)
        if done.returncode:
            pytest.skip("this openssl has no BLAKE2 MAC")
        expected = done.stdout.decode().strip().lower()
        assert DIGESTER.digest(name, b"message", options).hex() == expected


@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=20)
@given(pieces=st.lists(st.binary(max_size=300), max_size=6))
def test_pieces_give_the_digest_of_the_whole(name: str, pieces: list[bytes]) -> None:
    several = DIGESTER.several([name, "md5"])
    for piece in pieces:
        several.update(memoryview(piece))
    whole = b"".join(pieces)
    assert several.digests() == {name: DIGESTER.digest(name, whole)} | {
        "md5": DIGESTER.digest("md5", whole)
    }
    assert several.size_bytes == len(whole)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_registry_tells_the_size_of_the_digest(name: str) -> None:
    known = algorithm(name)
    assert len(DIGESTER.digest(name, b"")) == known.digest_bytes
    assert known.digest_bits == 8 * known.digest_bytes
    if known.length is not None:
        for length, beyond in ((known.length.least, -1), (known.length.most, 1)):
            assert len(DIGESTER.digest(name, b"", Options(length=length))) == length
            with pytest.raises(OptionRefused):
                DIGESTER.digest(name, b"", Options(length=length + beyond))


@pytest.mark.parametrize("name", REGISTRY)
def test_each_option_is_taken_or_refused_as_the_registry_says(name: str) -> None:
    known = algorithm(name)
    plain = DIGESTER.digest(name, b"x")
    tried = {
        "key": (known.key is not None or known.hmac, Options(key=b"k" * 32)),
        "hmac": (known.hmac, Options(key=b"k" * 32, hmac=True)),
        "salt": (known.salt_bytes > 0, Options(salt=b"salt")),
        "person": (known.person_bytes > 0, Options(person=b"who")),
        "context": (known.context, Options(context="app 2024 keys")),
        "seed": (known.seed, Options(seed=7)),
        "length": (known.length is not None, Options(length=7)),
    }
    for option, (taken, options) in tried.items():
        if taken:
            assert DIGESTER.digest(name, b"x", options) != plain
        else:
            with pytest.raises(OptionRefused) as caught:
                DIGESTER.digest(name, b"x", options)
            assert caught.value.option == option
            assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "options", "option"),
    [
        ("sha256", Options(key=b""), "key"),
        ("sha256", Options(key=bytes(65_537)), "key"),
        ("blake2b", Options(key=bytes(65)), "key"),
        ("blake3", Options(key=bytes(31)), "key"),
        ("blake3", Options(key=bytes(32), context="a"), "context"),
        ("blake3", Options(context=""), "context"),
        ("blake3", Options(key=bytes(32), hmac=True), "hmac"),
        ("sha256", Options(hmac=True), "key"),
        ("blake2b", Options(key=b"k", hmac=True, length=20), "length"),
        ("blake2b", Options(key=b"k", hmac=True, salt=b"s"), "salt"),
        ("blake2s", Options(salt=bytes(9)), "salt"),
        ("blake2s", Options(person=bytes(9)), "person"),
        ("xxh3_64", Options(seed=2**64), "seed"),
        ("xxh3_64", Options(seed=-1), "seed"),
    ],
)
def test_what_breaks_a_rule_is_refused(name: str, options: Options, option: str) -> None:
    with pytest.raises(OptionRefused) as caught:
        DIGESTER.digest(name, b"", options)
    assert caught.value.option == option


def test_verify_accepts_the_digest_and_nothing_else() -> None:
    expected = hmac.digest(b"k", b"data", "sha256")
    options = Options(key=b"k")
    assert DIGESTER.verify("sha256", b"data", expected, options)
    for wrong in (b"", expected[:-1], expected + b"\0", bytes(32)):
        assert not DIGESTER.verify("sha256", b"data", wrong, options)


def test_only_md5_and_sha1_are_legacy_and_checksums_are_not_cryptographic() -> None:
    assert {name for name, known in REGISTRY.items() if known.legacy} == {"md5", "sha1"}
    checksums = {name for name, known in REGISTRY.items() if not known.cryptographic}
    assert checksums == {"crc32c", "xxh3_64", "xxh3_128"}
    assert not any(REGISTRY[name].hmac for name in checksums)


@pytest.mark.parametrize("name", ["", "sha257", "SHA256", "shake_128", "md4"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownAlgorithm) as caught:
        DIGESTER.digest(name, b"")
    assert caught.value.name == name

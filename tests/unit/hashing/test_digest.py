"""Digests against the examples of the standards, and against independent implementations."""

import hashlib
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.digest import digest
from hashing.errors import UnknownAlgorithm
from hashing.registry import REGISTRY, algorithm

# "abc", in: NIST, Examples with Intermediate Values (FIPS 180-4 and FIPS 202); RFC 7693,
# appendices A and B; RFC 3174, section 7.3; RFC 1321, appendix A.5
ABC = {
    "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "sha224": "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
    "8086072ba1e7cc2358baeca134c825a7",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "sha512_256": "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
    "sha3_224": "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
    "sha3_256": "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    "sha3_384": "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
    "98d88cea927ac7f539f1edf228376d25",
    "sha3_512": "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
    "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
    "blake2b": "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
    "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
    "blake2s": "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
    "md5": "900150983cd24fb0d6963f7d28e17f72",
}
TWO_BLOCKS = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
OTHERS = [
    # the same NIST examples, of two blocks
    ("sha1", TWO_BLOCKS, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    ("sha256", TWO_BLOCKS, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    # RFC 1321, A.5: the whole test suite but "abc"
    ("md5", b"", "d41d8cd98f00b204e9800998ecf8427e"),
    ("md5", b"a", "0cc175b9c0f1b6a831c399e269772661"),
    ("md5", b"message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ("md5", b"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
    (
        "md5",
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "d174ab98d277d9f5a5611c2c9f419d9f",
    ),
    ("md5", b"1234567890" * 8, "57edf4a22be3c955ac49da2e2107b67a"),
    # the empty message: NIST, FIPS 202 examples (SHA3-256, Msg0) and CAVP SHA-256, Len = 0
    ("sha3_256", b"", "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
    ("sha256", b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
]
PROGRAMS = {
    "md5": "md5sum",
    "sha1": "sha1sum",
    "sha224": "sha224sum",
    "sha256": "sha256sum",
    "sha384": "sha384sum",
    "sha512": "sha512sum",
    "blake2b": "b2sum",
}


def test_every_algorithm_of_the_registry_has_a_known_answer() -> None:
    assert set(ABC) == set(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_abc_gives_the_digest_of_the_standard(name: str) -> None:
    assert digest(name, b"abc").hex() == ABC[name]


@pytest.mark.parametrize(("name", "message", "expected"), OTHERS)
def test_other_messages_give_the_digests_of_the_standards(
    name: str, message: bytes, expected: str
) -> None:
    assert digest(name, message).hex() == expected


def test_a_million_times_a_gives_the_digest_of_fips_180() -> None:
    expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    assert digest("sha256", b"a" * 1_000_000).hex() == expected


@pytest.mark.parametrize("name", sorted(REGISTRY.keys() - {"sha512_256"}))  # has no constructor
@settings(max_examples=25)
@given(data=st.binary(max_size=400))
def test_digests_equal_those_of_hashlibs_own_constructors(name: str, data: bytes) -> None:
    assert digest(name, data) == getattr(hashlib, name)(data).digest()


@pytest.mark.parametrize("name", PROGRAMS)
def test_digests_equal_those_of_the_systems_programs(name: str) -> None:
    program = shutil.which(PROGRAMS[name])
    if program is None:
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    for size in (0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 10_000):  # block edges
        data = bytes(index * 7 % 256 for index in range(size))
        done = subprocess.run([program], input=data, capture_output=True, check=True)
        assert digest(name, data).hex() == done.stdout.decode().split()[0]


@pytest.mark.parametrize("name", REGISTRY)
def test_the_registry_tells_the_size_of_the_digest(name: str) -> None:
    assert len(digest(name, b"")) == algorithm(name).digest_bytes
    assert algorithm(name).digest_bits == 8 * algorithm(name).digest_bytes


def test_only_md5_and_sha1_are_legacy() -> None:
    assert {name for name, known in REGISTRY.items() if known.legacy} == {"md5", "sha1"}


@pytest.mark.parametrize("name", ["", "sha257", "SHA256", "shake_128", "md4"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownAlgorithm) as caught:
        digest(name, b"")
    assert caught.value.name == name

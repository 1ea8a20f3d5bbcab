"""The self-test at start: each algorithm's answer to questions whose answers are published."""

import hmac
from collections.abc import Mapping
from itertools import pairwise

from hashing.digester import Digester, Several
from hashing.hashers import hasher
from hashing.options import Options
from hashing.registry import REGISTRY

# the digest of "abc": NIST, Examples with Intermediate Values; RFC 3174, 7693 and 1321
_ABC: Mapping[str, str] = {
    "sha224": "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
    "8086072ba1e7cc2358baeca134c825a7",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "sha512_224": "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa",
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
    "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "md5": "900150983cd24fb0d6963f7d28e17f72",
}
# NIST, FIPS 202 examples, BLAKE3's test vectors, xxHash's sanity test: the empty message; the
# CRC catalogue's check value
_OTHER: Mapping[str, tuple[bytes, str]] = {
    "shake128": (b"", "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"),
    "shake256": (
        b"",
        (
            "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f"
            "d75dc4ddd8c0f200cb05019d67b592f6fc821c49479ab48640292eacb3b7c4be"
        ),
    ),
    "blake3": (b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
    "crc32c": (b"123456789", "e3069283"),
    "xxh3_64": (b"", "2d06800538d394c2"),
    "xxh3_128": (b"", "99aa06d3014798d86001c324468d497f"),
}
PLAIN_ANSWERS: Mapping[str, tuple[bytes, str]] = {
    **{name: (b"abc", expected) for name, expected in _ABC.items()},
    **_OTHER,
}

# key "Jefe", "what do ya want for nothing?": RFC 2202 and 4231, case 2; NIST, HMAC examples
_JEFE: Mapping[str, str] = {
    "md5": "750c783e6ab0b503eaa86e310a5db738",
    "sha1": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    "sha224": "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    "sha256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "sha384": "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
    "8e2240ca5e69e2c78b3239ecfab21649",
    "sha512": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
}
# BLAKE2's and BLAKE3's own vectors: an empty message under the key 00 01 02 …, and under theirs
_KEYED: Mapping[str, tuple[bytes, str]] = {
    "blake2b": (
        bytes(range(64)),
        (
            "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
            "b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568"
        ),
    ),
    "blake2s": (
        bytes(range(32)),
        "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49",
    ),
    "blake3": (
        b"whats the Elvish word for friend",
        "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
    ),
}
# longer than any block, in uneven pieces: the answer must be that of the whole
_LONG = bytes(index * 7 % 251 for index in range(3000))
_PIECES = (0, 1, 63, 64, 128, 1023, 3000)


def self_test() -> dict[str, str]:
    """Return the algorithms that answer wrongly, or not at all, each with the reason."""
    failures = {}
    for name in REGISTRY:
        try:
            wrong = _wrong(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be used
            wrong = f"it fails with {type(error).__name__}"
        if wrong:
            failures[name] = wrong
    return failures


def _wrong(name: str) -> str | None:
    digester = Digester({})
    message, expected = PLAIN_ANSWERS[name]
    if digester.digest(name, message).hex() != expected:
        return "its digest of a published message is wrong"
    if name in _JEFE:
        options = Options(key=b"Jefe", hmac=True)
        mac = digester.digest(name, b"what do ya want for nothing?", options)
        if mac.hex() != _JEFE[name]:
            return "HMAC on it is wrong"
    if name in _KEYED:
        key, expected = _KEYED[name]
        if digester.digest(name, b"", Options(key=key)).hex() != expected:
            return "its keyed digest is wrong"
    pieces = Several({name: hasher(REGISTRY[name], Options(), "digest")})
    for start, end in pairwise(_PIECES):
        pieces.update(_LONG[start:end])
    if not hmac.compare_digest(pieces.digests()[name], digester.digest(name, _LONG)):
        return "its digest depends on how the data is cut"
    return None

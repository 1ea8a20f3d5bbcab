"""The one registry of hash algorithms: what each is, takes and returns, and who defines it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hashing.errors import UnknownAlgorithm

MOST_OUTPUT_BYTES = 65_536  # of those that can return any length; bounds memory and answers


@dataclass(frozen=True)
class Sizes:
    """A range of sizes in bytes, both ends included."""

    least: int
    most: int

    def __contains__(self, size: int) -> bool:
        return self.least <= size <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


HMAC_KEY = Sizes(1, 65_536)


@dataclass(frozen=True)
class Algorithm:
    """A hash algorithm; `digest_bytes` is the size of what it returns unless `length` is chosen.

    `length`: sizes that can be chosen; None when there is one only.  `key`: sizes of keys of its
    own keyed mode, None without such a mode; `hmac`: whether HMAC (RFC 2104) may be built on it.
    `salt_bytes` and `person_bytes`: most that it takes, 0 for none.  `context`: it derives keys in
    a context (BLAKE3); `seed`: it takes a 64-bit seed, which is not a secret key.

    `cryptographic`: made to resist people who look for collisions.  `legacy`: it no longer does,
    and is here for checking what already exists.  `source` is the defining document.
    """

    name: str
    digest_bytes: int
    source: str
    length: Sizes | None = None
    key: Sizes | None = None
    hmac: bool = False
    salt_bytes: int = 0
    person_bytes: int = 0
    context: bool = False
    seed: bool = False
    cryptographic: bool = True
    legacy: bool = False

    @property
    def digest_bits(self) -> int:
        """Size of the digest in bits."""
        return 8 * self.digest_bytes


def _fixed(name: str, digest_bytes: int, source: str, *, legacy: bool = False) -> Algorithm:
    return Algorithm(name, digest_bytes, source, hmac=True, legacy=legacy)


def _checksum(name: str, digest_bytes: int, source: str, *, seed: bool) -> Algorithm:
    return Algorithm(name, digest_bytes, source, seed=seed, cryptographic=False)


_SHA2 = "NIST FIPS 180-4"
_SHA3 = "NIST FIPS 202"
_BLAKE2 = "RFC 7693; salt and person: BLAKE2 specification, 2.8"
_BLAKE3 = "BLAKE3 specification (2020)"
_XXH3 = "xxHash algorithm description, XXH3 (0.8)"
_ANY = Sizes(1, MOST_OUTPUT_BYTES)

REGISTRY: Mapping[str, Algorithm] = MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            _fixed("sha224", 28, _SHA2),
            _fixed("sha256", 32, _SHA2),
            _fixed("sha384", 48, _SHA2),
            _fixed("sha512", 64, _SHA2),
            _fixed("sha512_224", 28, _SHA2),
            _fixed("sha512_256", 32, _SHA2),
            _fixed("sha3_224", 28, _SHA3),
            _fixed("sha3_256", 32, _SHA3),
            _fixed("sha3_384", 48, _SHA3),
            _fixed("sha3_512", 64, _SHA3),
            Algorithm("shake128", 32, _SHA3, length=_ANY),
            Algorithm("shake256", 64, _SHA3, length=_ANY),
            Algorithm(
                "blake2b", 64, _BLAKE2, length=Sizes(1, 64), key=Sizes(1, 64), hmac=True,
                salt_bytes=16, person_bytes=16,
            ),
            Algorithm(
                "blake2s", 32, _BLAKE2, length=Sizes(1, 32), key=Sizes(1, 32), hmac=True,
                salt_bytes=8, person_bytes=8,
            ),
            Algorithm("blake3", 32, _BLAKE3, length=_ANY, key=Sizes(32, 32), context=True),
            _fixed("sha1", 20, _SHA2, legacy=True),
            _fixed("md5", 16, "RFC 1321", legacy=True),
            _checksum("crc32c", 4, "RFC 3720, appendix B.4", seed=False),
            _checksum("xxh3_64", 8, _XXH3, seed=True),
            _checksum("xxh3_128", 16, _XXH3, seed=True),
        )
    }
)  # fmt: skip


def algorithm(name: str) -> Algorithm:
    """Return the algorithm of that name.  Raises UnknownAlgorithm."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownAlgorithm(name) from None

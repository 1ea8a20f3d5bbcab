"""The one registry of hash algorithms: what each is, and the document that defines it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hashing.errors import UnknownAlgorithm


@dataclass(frozen=True)
class Algorithm:
    """A hash algorithm; `digest_bytes` is the size of what it returns.

    `cryptographic`: made to resist people who look for collisions.  `legacy`: it no longer does,
    and is here for checking what already exists.  `source` is the defining document.
    """

    name: str
    digest_bytes: int
    cryptographic: bool
    legacy: bool
    source: str

    @property
    def digest_bits(self) -> int:
        """Size of the digest in bits."""
        return 8 * self.digest_bytes


def _sound(name: str, digest_bytes: int, source: str) -> Algorithm:
    return Algorithm(name, digest_bytes, cryptographic=True, legacy=False, source=source)


def _legacy(name: str, digest_bytes: int, source: str) -> Algorithm:
    return Algorithm(name, digest_bytes, cryptographic=True, legacy=True, source=source)


_SHA2 = "NIST FIPS 180-4"
_SHA3 = "NIST FIPS 202"
_BLAKE2 = "RFC 7693"

REGISTRY: Mapping[str, Algorithm] = MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            _sound("sha224", 28, _SHA2),
            _sound("sha256", 32, _SHA2),
            _sound("sha384", 48, _SHA2),
            _sound("sha512", 64, _SHA2),
            _sound("sha512_256", 32, _SHA2),
            _sound("sha3_224", 28, _SHA3),
            _sound("sha3_256", 32, _SHA3),
            _sound("sha3_384", 48, _SHA3),
            _sound("sha3_512", 64, _SHA3),
            _sound("blake2b", 64, _BLAKE2),
            _sound("blake2s", 32, _BLAKE2),
            _legacy("sha1", 20, _SHA2),
            _legacy("md5", 16, "RFC 1321"),
        )
    }
)


def algorithm(name: str) -> Algorithm:
    """Return the algorithm of that name.  Raises UnknownAlgorithm."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownAlgorithm(name) from None

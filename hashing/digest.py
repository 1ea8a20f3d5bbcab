"""Digests of bytes."""

import hashlib

from hashing.registry import algorithm


def digest(name: str, data: bytes) -> bytes:
    """Return the digest of `data` by the algorithm `name`; `digest_bytes` long.

    Raises hashing.errors.UnknownAlgorithm.
    """
    known = algorithm(name)
    # else a FIPS build of OpenSSL refuses the legacy ones, which are here to check old digests
    return hashlib.new(known.name, data, usedforsecurity=False).digest()

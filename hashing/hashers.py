"""Hashers: one interface, update and digest, over the packages that do the work."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Protocol

import google_crc32c
import xxhash
from blake3 import blake3

from hashing.options import Construction, Options
from hashing.registry import Algorithm

Data = bytes | bytearray | memoryview


class Hasher(Protocol):
    """Takes data piece by piece; the pieces' borders do not matter."""

    def update(self, data: Data, /) -> object:
        """Take more data; big pieces are hashed with the interpreter's lock released."""

    def digest(self) -> bytes:
        """Return the digest of all data so far; more may follow."""


class _AnyLength:
    """A hasher whose digest is as long as asked for."""

    def __init__(self, hasher: "_Extendable", length: int) -> None:
        self._hasher = hasher
        self._length = length
        self.update = hasher.update

    def digest(self) -> bytes:
        return self._hasher.digest(self._length)


class _Extendable(Protocol):
    def update(self, data: Data, /) -> object: ...

    def digest(self, length: int, /) -> bytes: ...


class _Crc32c:
    """CRC32C; its four bytes are the value's, most significant first, as it is written."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Data) -> None:
        # the extension takes nothing but bytes
        chunk = data if isinstance(data, bytes) else bytes(data)
        self._value = google_crc32c.extend(self._value, chunk)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def hasher(known: Algorithm, options: Options, kind: Construction) -> Hasher:
    """Return a new hasher; `kind` is what `options.construction` made of the other two."""
    if kind == "hmac":
        return hmac.new(options.key or b"", digestmod=known.name)
    return _BUILDERS[known.name](known, options)


def _openssl(known: Algorithm, _options: Options) -> Hasher:
    # else a FIPS build of OpenSSL refuses the legacy ones, which are here to check old digests
    return hashlib.new(known.name, usedforsecurity=False)


def _shake(known: Algorithm, options: Options) -> Hasher:
    made = hashlib.shake_128 if known.name == "shake128" else hashlib.shake_256
    return _AnyLength(made(usedforsecurity=False), options.length or known.digest_bytes)


def _blake2(known: Algorithm, options: Options) -> Hasher:
    made = hashlib.blake2b if known.name == "blake2b" else hashlib.blake2s
    return made(
        digest_size=options.length or known.digest_bytes,
        key=options.key or b"",
        salt=options.salt or b"",
        person=options.person or b"",
    )


def _blake3(_known: Algorithm, options: Options) -> Hasher:
    if options.key is not None:
        made = blake3(key=options.key)
    elif options.context is not None:
        made = blake3(derive_key_context=options.context)
    else:
        made = blake3()
    return made if options.length is None else _AnyLength(made, options.length)


def _crc32c(_known: Algorithm, _options: Options) -> Hasher:
    return _Crc32c()


def _xxh3(known: Algorithm, options: Options) -> Hasher:
    made = xxhash.xxh3_64 if known.name == "xxh3_64" else xxhash.xxh3_128
    return made(seed=options.seed or 0)


_BUILDERS: Mapping[str, Callable[[Algorithm, Options], Hasher]] = {
    **dict.fromkeys(
        (
            "sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256",
            "sha3_224", "sha3_256", "sha3_384", "sha3_512", "sha1", "md5",
        ),
        _openssl,
    ),
    **dict.fromkeys(("shake128", "shake256"), _shake),
    **dict.fromkeys(("blake2b", "blake2s"), _blake2),
    "blake3": _blake3,
    "crc32c": _crc32c,
    **dict.fromkeys(("xxh3_64", "xxh3_128"), _xxh3),
}  # fmt: skip

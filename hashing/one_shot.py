"""Digests of one small value each, many times: without a hasher object for every one of them."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from functools import partial

import google_crc32c
import xxhash
from blake3 import blake3

from hashing.options import Construction, Options
from hashing.registry import Algorithm

OneShot = Callable[[bytes], bytes]


def one_shot(known: Algorithm, options: Options, kind: Construction) -> OneShot:
    """Return what maps a value to its digest, the same as of `hashing.hashers.hasher`.

    `kind` is what `options.construction` made of the other two.
    """
    if kind == "hmac":
        key, name = options.key or b"", known.name
        return lambda value: hmac.digest(key, value, name)
    return _BUILDERS[known.name](known, options)


def _openssl(known: Algorithm, _options: Options) -> OneShot:
    made = getattr(hashlib, known.name, None) or partial(hashlib.new, known.name)
    return lambda value: made(value, usedforsecurity=False).digest()


def _shake(known: Algorithm, options: Options) -> OneShot:
    made = hashlib.shake_128 if known.name == "shake128" else hashlib.shake_256
    length = options.length or known.digest_bytes
    return lambda value: made(value, usedforsecurity=False).digest(length)


def _blake2(known: Algorithm, options: Options) -> OneShot:
    made = partial(
        hashlib.blake2b if known.name == "blake2b" else hashlib.blake2s,
        digest_size=options.length or known.digest_bytes,
        key=options.key or b"",
        salt=options.salt or b"",
        person=options.person or b"",
    )
    return lambda value: made(value).digest()


def _blake3(known: Algorithm, options: Options) -> OneShot:
    length = options.length or known.digest_bytes
    if options.key is not None:
        made = partial(blake3, key=options.key)
    elif options.context is not None:
        made = partial(blake3, derive_key_context=options.context)
    else:
        made = partial(blake3)
    return lambda value: made(value).digest(length)


def _crc32c(_known: Algorithm, _options: Options) -> OneShot:
    return lambda value: google_crc32c.value(value).to_bytes(4, "big")


def _xxh3(known: Algorithm, options: Options) -> OneShot:
    made = xxhash.xxh3_64_digest if known.name == "xxh3_64" else xxhash.xxh3_128_digest
    seed = options.seed or 0
    return lambda value: made(value, seed)


_BUILDERS: Mapping[str, Callable[[Algorithm, Options], OneShot]] = {
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

"""The published test vectors in vectors/*.json; each file names its source.

`python -m tests.unit.hashing.vectors` lists them as docs/hashing.md does.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from hashing.options import PLAIN, Options

FOLDER = Path(__file__).parent / "vectors"
DIGESTS = (
    "fips180", "cavp", "fips202", "rfc1321", "blake2", "blake3", "xxh3", "crc32c", "hmac",
)  # fmt: skip


# files whose vectors are not digests, and what they are of; those without an algorithm are schemes
_OTHERS = {
    "hmac": ("HMAC", ""), "hkdf": ("HKDF", ""), "pbkdf2": ("PBKDF2", ""),
    "argon2id": ("password hashes", "argon2id"),
    "argon2id_encoded": ("password hashes", "argon2id"),
    "scrypt": ("password hashes", "scrypt"), "bcrypt": ("password hashes", "bcrypt"),
}  # fmt: skip
FILES = (*(name for name in DIGESTS if name not in _OTHERS), *_OTHERS)


def read(name: str) -> list[dict[str, Any]]:
    """Return the vectors of one file."""
    document = json.loads((FOLDER / f"{name}.json").read_text())
    assert document["source"]
    return list(document["vectors"])


def message(written: dict[str, Any]) -> bytes:
    """Return the bytes that a vector's message stands for."""
    match written:
        case {"text": text}:
            return str(text).encode()
        case {"repeat": text, "times": times}:
            return str(text).encode() * int(times)
        case {"hex": text, "times": times}:
            return bytes.fromhex(text) * int(times)
        case {"pattern251": size}:
            return bytes(index % 251 for index in range(size))
        case {"xxh": size}:
            return generated(size)
    raise AssertionError(written)


def generated(size: int) -> bytes:
    """Return what xxHash's sanity test hashes: the top bytes of powers of a prime."""
    state, made = 2654435761, bytearray()
    for _ in range(size):
        made.append(state >> 56)
        state = state * 11400714785074694797 % 2**64
    return bytes(made)


def options(written: dict[str, Any]) -> Options:
    """Return the options of a vector."""
    given = dict(written.get("options", {}))
    if not given:
        return PLAIN
    if "key" in given:
        given["key"] = bytes.fromhex(given["key"])
    return Options(**given)


def table() -> list[str]:
    """Return, in Markdown, how many vectors there are of each algorithm, by source."""
    lines = ["| published in | of | vectors |", "| --- | --- | --- |"]
    total: Counter[str] = Counter()
    for name in FILES:
        kind, scheme = _OTHERS.get(name, ("digests", ""))
        source = json.loads((FOLDER / f"{name}.json").read_text())["source"]
        counts = Counter(scheme or str(vector["algorithm"]) for vector in read(name))
        lines.append(f"| {source} | {kind} | {_told(counts)} |")
        total += counts
    return [*lines, "", f"{total.total()} in all: {_told(total)}."]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")

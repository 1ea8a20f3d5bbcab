"""Digests of answers: the same for the same rows, in any order or in the order they have."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MODULUS = 1 << 128


@dataclass(frozen=True)
class RowDigest:
    """`bag` does not depend on the order of rows, `sequence` does, by `ordered` columns alone."""

    rows: int
    bag: str
    sequence: str


def digest_rows(rows: Iterable[Sequence[str | None]], ordered: Sequence[int]) -> RowDigest:
    """Digest `rows`; `ordered` are the places of the columns whose order counts.

    The bag is a sum of BLAKE2b-128 digests modulo 2¹²⁸: unlike with XOR, rows that come twice do
    not cancel out.
    """
    count, total = 0, 0
    sequence = hashlib.blake2b(digest_size=16)
    for row in rows:
        count += 1
        one = hashlib.blake2b(_bytes(row), digest_size=16).digest()
        total = (total + int.from_bytes(one)) % MODULUS
        sequence.update(_bytes([row[place] for place in ordered]))
    return RowDigest(count, f"{total:032x}", sequence.hexdigest())


def _bytes(values: Sequence[str | None]) -> bytes:
    """Encode a row so that no two rows are alike: each value with its length, NULL apart."""
    parts = []
    for value in values:
        if value is None:
            parts.append(b"n")
        else:
            data = value.encode()
            parts.append(b"%d:%b" % (len(data), data))
    return b"".join(parts)

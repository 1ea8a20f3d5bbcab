"""What is remembered of digests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sighting:
    """A digest that was computed, of an input of `size_bytes`.  The input is no part of it."""

    algorithm: str
    digest: bytes
    size_bytes: int
    label: str | None


@dataclass(frozen=True)
class Sum:
    """All sightings of one digest in one group; `label` is the latest that was given."""

    algorithm: str
    digest: bytes
    count: int
    size_bytes: int
    label: str | None


@dataclass(frozen=True)
class StoredDigest:
    """What is known of a digest; times in ISO 8601, UTC."""

    first_seen: str
    last_seen: str
    count: int
    size_bytes: int
    label: str | None


def summed(sightings: Iterable[Sighting]) -> Sequence[Sum]:
    """Return one sum for each digest, in the order of their keys.

    In one order everywhere: replicas that lock the same rows in different ones would deadlock.
    """
    sums: dict[tuple[str, bytes], Sum] = {}
    for one in sightings:
        key = (one.algorithm, one.digest)
        known = sums.get(key)
        if known is None:
            sums[key] = Sum(*key, 1, one.size_bytes, one.label)
        else:
            label = known.label if one.label is None else one.label
            sums[key] = Sum(*key, known.count + 1, known.size_bytes, label)
    return [sums[key] for key in sorted(sums)]

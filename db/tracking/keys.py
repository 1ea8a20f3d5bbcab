"""Keys that tables can be cut by: types that sort, and fit a 64-bit number in that order."""

from dataclasses import dataclass

from db.tracking.errors import TrackingError

_UUID_BYTES = 16


@dataclass(frozen=True)
class KeyType:
    """A type as `format_type` calls it.

    `floor` is SQL for the least key that has the rank of the key {0}; buckets begin at such keys.
    """

    name: str
    floor: str = "{0}"

    def rank(self, binary: bytes) -> int:
        """Return a number of 64 bits, with sign, that sorts as keys do.

        `binary` is PostgreSQL's binary form of a key: integers, days and microseconds since 2000
        are sent as what they are; of a uuid the upper half counts, so that several share a rank.
        """
        if len(binary) == _UUID_BYTES:
            return int.from_bytes(binary[:8], "big") - 2**63
        return int.from_bytes(binary, "big", signed=True)


KEY_TYPES: dict[str, KeyType] = {
    key.name: key
    for key in (
        KeyType("smallint"),
        KeyType("integer"),
        KeyType("bigint"),
        KeyType("date"),
        KeyType("timestamp without time zone"),
        KeyType("timestamp with time zone"),
        KeyType("uuid", "(substr({0}::text, 1, 18) || '-0000-000000000000')::uuid"),
    )
}


def key_type(name: str) -> KeyType:
    """Return the key type that `format_type` calls `name`.  Raises TrackingError."""
    try:
        return KEY_TYPES[name]
    except KeyError:
        raise TrackingError(f"Tables cannot be cut by keys of type {name!r}.") from None

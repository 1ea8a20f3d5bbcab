"""The table of digests in PostgreSQL."""

import json
from collections.abc import Sequence

import psycopg

from app.digests.errors import StoreUnsure
from app.digests.sighting import Sighting, StoredDigest, summed
from db.database import Database

# The order of the rows is the order in which they are locked: see `summed`.  Times are of the
# statement's start, and a group that waited for another's lock must not set the clock back.
_WRITE = """
INSERT INTO millrace.digests AS known
    (algorithm, digest, first_seen, last_seen, count, size, label)
SELECT algorithm, decode(digest, 'hex'), now(), now(), count, size, label
FROM ROWS FROM (json_to_recordset($1::json)
    AS (algorithm text, digest text, count bigint, size bigint, label text))
    WITH ORDINALITY AS seen (algorithm, digest, count, size, label, place)
ORDER BY place
ON CONFLICT (algorithm, digest) DO UPDATE SET
    first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen),
    count = known.count + excluded.count,
    label = coalesce(excluded.label, known.label)
"""
_FIND = """
SELECT to_json(first_seen) #>> '{}', to_json(last_seen) #>> '{}', count, size, label
FROM millrace.digests WHERE algorithm = $1 AND digest = decode($2, 'hex')
"""


class DigestStore:
    """Writes and reads `millrace.digests`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, sightings: Sequence[Sighting]) -> None:
        """Add all of them, in one transaction; on return they are as durable as PostgreSQL commits.

        Raises db.errors, and StoreUnsure when PostgreSQL refuses: a lock or a statement took too
        long.  After a connection that was lost, nobody knows whether the commit had happened.
        """
        rows = [
            {
                "algorithm": one.algorithm,
                "digest": one.digest.hex(),
                "count": one.count,
                "size": one.size_bytes,
                "label": one.label,
            }
            for one in summed(sightings)
        ]
        try:
            with self._database.connection() as connection:
                connection.execute(_WRITE, [json.dumps(rows)])
        except psycopg.Error as error:
            raise StoreUnsure("PostgreSQL has refused the digests.") from error

    def find(self, algorithm: str, digest: bytes) -> StoredDigest | None:
        """Return what is known of a digest.  Raises db.errors."""
        with self._database.connection() as connection:
            row = connection.execute(_FIND, [algorithm, digest.hex()]).fetchone()
        if row is None:
            return None
        first_seen, last_seen, count, size, label = row
        return StoredDigest(str(first_seen), str(last_seen), int(count or 0), int(size or 0), label)

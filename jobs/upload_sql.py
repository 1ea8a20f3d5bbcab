"""The statements on uploads."""

COLUMNS = """id, size, stored_size, announced_size, is_complete, is_verified,
    encode(sha256, 'hex'), name, to_json(created_at) #>> '{}', to_json(changed_at) #>> '{}',
    to_json(expires_at) #>> '{}'"""
FIND = f"SELECT {COLUMNS} FROM uploads WHERE id = $1 AND NOT is_deleted"

# Parameters: id, name, announced size, seconds until it expires, most that may be open.
CREATE = """INSERT INTO uploads (id, name, announced_size, expires_at)
SELECT $1, $2, $3::int8, now() + make_interval(secs => $4::float8)
 WHERE (SELECT count(*) FROM (SELECT FROM uploads WHERE NOT is_complete AND NOT is_deleted
                               LIMIT $5::int) AS open) < $5::int RETURNING id"""
STORED = "SELECT coalesce(sum(stored_size), 0) FROM uploads"

# Of two that go on from the same offset the second finds another size, and changes nothing.
# Parameters: id, offset, bytes, bytes as they are kept, seconds until it expires.
GROW = """UPDATE uploads
   SET size = size + $3::int8, stored_size = stored_size + $4::int8, changed_at = now(),
       expires_at = now() + make_interval(secs => $5::float8)
 WHERE id = $1 AND size = $2::int8 AND NOT is_complete AND NOT is_deleted
   AND coalesce(size + $3::int8 <= announced_size, true) RETURNING size"""
INSERT_CHUNK = """INSERT INTO upload_chunks (upload_id, start, size, is_compressed, data)
VALUES ($1, $2::int8, $3::int, $4::boolean, $5)"""

# The values themselves stay where they are: only the rows that point to them are written anew.
# Parameters: of whom, whose they become, from where on.
MOVE_CHUNKS = """UPDATE upload_chunks SET upload_id = $2, start = start + $3::int8
 WHERE upload_id = $1"""
DELETE = "DELETE FROM uploads WHERE id = $1"

# Parameters: id, size, digest in hex, whether it has been checked.
COMPLETE = """UPDATE uploads
   SET is_complete = true, is_verified = $4::boolean, sha256 = decode($3, 'hex'), changed_at = now()
 WHERE id = $1 AND size = $2::int8 AND NOT is_complete AND NOT is_deleted
   AND coalesce(size = announced_size, true) RETURNING id"""
VERIFIED = "UPDATE uploads SET is_verified = true WHERE id = $1 AND is_complete RETURNING id"

# From the chunk that holds the given byte on.  Parameters: id, byte, how many.
CHUNKS = """SELECT start, size, is_compressed, data FROM upload_chunks
 WHERE upload_id = $1
   AND start >= (SELECT max(start) FROM upload_chunks WHERE upload_id = $1 AND start <= $2::int8)
 ORDER BY start LIMIT $3::int"""

# Who deletes an upload and who begins to use it lock it first, so that the next statement of
# either sees what the other has committed.
LOCK_TO_USE = f"SELECT {COLUMNS} FROM uploads WHERE id = $1 AND NOT is_deleted FOR SHARE"
USE = """INSERT INTO upload_uses (upload_id, job_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"""
KEEP = "UPDATE uploads SET expires_at = NULL WHERE id = $1 AND expires_at IS NOT NULL"
LOCK_TO_DELETE = "SELECT id FROM uploads WHERE id = $1 AND NOT is_deleted FOR NO KEY UPDATE"
# Jobs that are finished need it no more, unless somebody has them retried, which then fails.
IN_USE = """SELECT job.id FROM upload_uses JOIN jobs AS job ON job.id = job_id
 WHERE upload_id = $1 AND job.state IN ('queued', 'running', 'paused') LIMIT 1"""
MARK_DELETED = "UPDATE uploads SET is_deleted = true WHERE id = $1"

EXPIRED = """SELECT id FROM uploads WHERE expires_at < now() AND NOT is_deleted
 ORDER BY expires_at LIMIT $1::int"""
# again with the lock held: somebody may have added to it, or begun to use it
STILL_EXPIRED = "SELECT id FROM uploads WHERE id = $1 AND expires_at < now()"
DELETED = "SELECT id FROM uploads WHERE is_deleted LIMIT $1::int"
DELETE_CHUNKS = """DELETE FROM upload_chunks WHERE upload_id = $1 AND start IN (
    SELECT start FROM upload_chunks WHERE upload_id = $1 LIMIT $2::int) RETURNING start"""

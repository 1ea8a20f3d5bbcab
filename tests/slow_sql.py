"""A query that takes minutes, though PostgreSQL expects a thousand cheap rows."""

SLOW_SQL = "SELECT count(*) FROM (SELECT generate_series(1, (SELECT 2000000000))) AS slow"

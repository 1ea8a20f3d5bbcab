-- Answers that are given again while Redis is away.  Unlogged: a crash may lose them, and loses with
-- them what was invalidated, so that both fit together.
CREATE UNLOGGED TABLE millrace.cache (
    key text PRIMARY KEY,
    value bytea NOT NULL,
    tables text[] NOT NULL,
    snapshot pg_snapshot NOT NULL,
    computed_at timestamptz NOT NULL,
    last_used timestamptz NOT NULL DEFAULT clock_timestamp(),
    hits int NOT NULL DEFAULT 0,
    cost_s float8 NOT NULL,
    size int NOT NULL
);
ALTER TABLE millrace.cache ALTER COLUMN value SET STORAGE EXTERNAL; -- it is compressed already
CREATE INDEX cache_last_used ON millrace.cache (last_used);

-- Which table was invalidated last by which transaction; the empty name stands for all.  An answer
-- counts if that transaction is visible in the snapshot that it was computed in.
CREATE UNLOGGED TABLE millrace.cache_invalidation (
    table_name text PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- That something was invalidated while Redis was away: whoever reaches it first tells it.  Logged: a
-- crash of PostgreSQL must not hide it from Redis.
CREATE TABLE millrace.cache_missed_by_redis (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz NOT NULL
);

-- Who computes an answer for the others.
CREATE UNLOGGED TABLE millrace.cache_lease (
    key text PRIMARY KEY,
    token text NOT NULL,
    until timestamptz NOT NULL
);

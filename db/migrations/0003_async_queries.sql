-- Queries that clients asked to have answered later.  A row is written before the query is
-- acknowledged, and holds all that is needed to run it again on another replica.
CREATE TABLE millrace.async_queries (
    id text PRIMARY KEY,
    request json NOT NULL,
    idempotency_key text UNIQUE,
    digest text NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempts int NOT NULL DEFAULT 0,
    -- who runs it, and until when that holds without being renewed; of a queued one: not before
    owner text,
    lease_until timestamptz,
    fragments_done int NOT NULL DEFAULT 0,
    fragments_total int NOT NULL DEFAULT 0,
    result bytea,
    row_count bigint,
    problem json,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    expires_at timestamptz
);

-- answers are compressed already; the other columns are small
ALTER TABLE millrace.async_queries ALTER COLUMN result SET STORAGE EXTERNAL;

CREATE INDEX async_queries_unfinished ON millrace.async_queries (created_at)
    WHERE state IN ('queued', 'running');
CREATE INDEX async_queries_expiring ON millrace.async_queries (expires_at)
    WHERE expires_at IS NOT NULL;

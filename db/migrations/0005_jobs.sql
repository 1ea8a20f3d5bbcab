-- Durable work of many tasks.  These two tables are the truth about it; the queue on Redis only
-- tells workers that there is something to do.
CREATE TABLE millrace.jobs (
    id text PRIMARY KEY,
    kind text NOT NULL,
    parameters json NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled')),
    -- the higher goes first
    priority smallint NOT NULL,
    idempotency_key text UNIQUE,
    digest text NOT NULL,
    -- whether it goes on when one of its tasks is a dead letter
    tolerates_dead_letters boolean NOT NULL DEFAULT false,
    error_class text,
    error text,
    -- what the plan expects; unknown until then, and where a kind cannot tell
    expected_rows bigint,
    expected_bytes bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    -- how long it has run: what came before the last pause or end, and since when it runs again
    ran_s double precision NOT NULL DEFAULT 0,
    running_since timestamptz,
    finished_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX jobs_by_time ON millrace.jobs (created_at DESC, id DESC);
CREATE INDEX jobs_unfinished ON millrace.jobs (id) WHERE state IN ('queued', 'running', 'paused');
CREATE INDEX jobs_expiring ON millrace.jobs (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX jobs_with_key ON millrace.jobs (created_at) WHERE idempotency_key IS NOT NULL;

CREATE TABLE millrace.job_tasks (
    job_id text NOT NULL REFERENCES millrace.jobs ON DELETE CASCADE,
    number int NOT NULL,
    -- the job's, repeated here so that a claim needs one index alone
    kind text NOT NULL,
    priority smallint NOT NULL,
    -- place among the tasks of one priority; jobs interleave, so that a long one delays no other
    turn bigint NOT NULL,
    name text NOT NULL,
    parameters json NOT NULL,
    state text NOT NULL
        CHECK (state IN ('held', 'ready', 'leased', 'done', 'dead', 'cancelled')),
    -- held until all others of its job are done
    is_last boolean NOT NULL DEFAULT false,
    attempt int NOT NULL DEFAULT 0,
    max_attempts int NOT NULL,
    -- counts the claims; whoever holds an older one has no say
    token bigint NOT NULL DEFAULT 0,
    worker text,
    lease_until timestamptz,
    due_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    result text,
    error_class text,
    error text,
    cause text,
    -- the latest failed attempts: {attempt, at, error_class, error, due_at}
    failures jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (job_id, number)
) WITH (
    -- each row changes its state a few times and then no more: room for that in its page, and
    -- vacuum early, or the dead entries at the front of the index of ready tasks slow each claim
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05
);
CREATE INDEX job_tasks_ready ON millrace.job_tasks (priority DESC, turn) WHERE state = 'ready';
CREATE INDEX job_tasks_leased ON millrace.job_tasks (job_id, number) WHERE state = 'leased';
CREATE INDEX job_tasks_open ON millrace.job_tasks (job_id, number)
    WHERE state IN ('held', 'ready', 'leased');
CREATE INDEX job_tasks_dead ON millrace.job_tasks (kind, job_id, number) WHERE state = 'dead';

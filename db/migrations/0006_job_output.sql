-- What tasks of jobs leave behind, in pieces, and what they say while they run.

-- A piece counts once its task is done, under the token by which it was done: so pieces can be
-- written while the task runs, and those of an attempt that failed are nobody's.
CREATE TABLE millrace.job_output (
    job_id text NOT NULL REFERENCES millrace.jobs ON DELETE CASCADE,
    -- 'result', 'errors', or another of the kind's
    stream text NOT NULL,
    task int NOT NULL,
    token bigint NOT NULL,
    piece int NOT NULL,
    rows int NOT NULL,
    -- a JSON array of rows, each an array of values; compressed with zstd
    data bytea NOT NULL,
    PRIMARY KEY (job_id, stream, task, token, piece)
);
ALTER TABLE millrace.job_output ALTER COLUMN data SET STORAGE EXTERNAL;

-- Changes of a job's state, and lines of its tasks' logs.
CREATE TABLE millrace.job_events (
    job_id text NOT NULL REFERENCES millrace.jobs ON DELETE CASCADE,
    -- the transaction that wrote it: in the order of (xact, id), and without those that are still
    -- being written, a reader who goes on from the last one seen misses none
    xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    task int,
    attempt int,
    level text NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
    event text NOT NULL,
    message text NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, xact, id)
);

-- How far a running attempt has come; its task's rows and bytes say so once it is done.
ALTER TABLE millrace.job_tasks
    ADD COLUMN rows_so_far bigint NOT NULL DEFAULT 0,
    ADD COLUMN bytes_so_far bigint NOT NULL DEFAULT 0;

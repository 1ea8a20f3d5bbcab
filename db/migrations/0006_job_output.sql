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

-- Changes of a job's state, failures of its tasks, and lines of their logs.
CREATE TABLE millrace.job_events (
    job_id text NOT NULL REFERENCES millrace.jobs ON DELETE CASCADE,
    -- transactions that write to one job's events take turns (jobs/event_sql.py), so their ids are in
    -- the order of the commits: a reader who goes on from the last one seen misses none
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    task int,
    attempt int,
    level text NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
    event text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (job_id, id)
);

-- How far a running attempt has come; its task's rows and bytes say so once it is done.
ALTER TABLE millrace.job_tasks
    ADD COLUMN rows_so_far bigint NOT NULL DEFAULT 0,
    ADD COLUMN bytes_so_far bigint NOT NULL DEFAULT 0;

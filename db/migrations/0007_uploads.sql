-- Files that clients send in as many requests as it takes.
CREATE TABLE millrace.uploads (
    id text PRIMARY KEY,
    -- by how many bytes it has grown so far: where the next request goes on
    size bigint NOT NULL DEFAULT 0,
    -- what the client has announced; null: it has not
    announced_size bigint,
    is_complete boolean NOT NULL DEFAULT false,
    sha256 bytea,
    name text,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    -- set when the last job that reads it has been forgotten, or nobody has added to it for long
    expires_at timestamptz
);
CREATE INDEX uploads_expiring ON millrace.uploads (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE millrace.upload_chunks (
    upload_id text NOT NULL REFERENCES millrace.uploads ON DELETE CASCADE,
    start bigint NOT NULL,
    size int NOT NULL,
    -- compressed with zstd where that makes it smaller
    is_compressed boolean NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (upload_id, start)
);
ALTER TABLE millrace.upload_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

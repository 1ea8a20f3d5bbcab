-- Files that clients send in as many requests as it takes.
CREATE TABLE millrace.uploads (
    id text PRIMARY KEY,
    -- by how many bytes it has grown so far: where the next request goes on
    size bigint NOT NULL DEFAULT 0,
    -- what they take as they are kept
    stored_size bigint NOT NULL DEFAULT 0,
    -- what the client has announced; null: it has not
    announced_size bigint,
    is_complete boolean NOT NULL DEFAULT false,
    -- whether its bytes are those of the digest; nobody reads it before
    is_verified boolean NOT NULL DEFAULT false,
    sha256 bytea,
    name text,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    -- null: as long as a job needs it
    expires_at timestamptz,
    -- nobody sees it any more; what it takes is given back in small steps
    is_deleted boolean NOT NULL DEFAULT false
);
CREATE INDEX uploads_expiring ON millrace.uploads (expires_at)
    WHERE expires_at IS NOT NULL AND NOT is_deleted;
CREATE INDEX uploads_deleted ON millrace.uploads (id) WHERE is_deleted;
CREATE INDEX uploads_open ON millrace.uploads (id) WHERE NOT is_complete AND NOT is_deleted;

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

-- Jobs that read an upload: it is kept until the last of them has been forgotten.
CREATE TABLE millrace.upload_uses (
    upload_id text NOT NULL REFERENCES millrace.uploads ON DELETE CASCADE,
    job_id text NOT NULL REFERENCES millrace.jobs ON DELETE CASCADE,
    PRIMARY KEY (upload_id, job_id)
);
CREATE INDEX upload_uses_by_job ON millrace.upload_uses (job_id);

CREATE FUNCTION millrace.upload_is_used_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- two jobs forgotten at the same time must not each see the other's use
    PERFORM FROM millrace.uploads WHERE id = OLD.upload_id FOR NO KEY UPDATE;
    UPDATE millrace.uploads SET expires_at = now()
     WHERE id = OLD.upload_id
       AND NOT EXISTS (SELECT FROM millrace.upload_uses WHERE upload_id = OLD.upload_id);
    RETURN NULL;
END $$;
CREATE TRIGGER upload_is_used_no_more AFTER DELETE ON millrace.upload_uses
    FOR EACH ROW EXECUTE FUNCTION millrace.upload_is_used_no_more();

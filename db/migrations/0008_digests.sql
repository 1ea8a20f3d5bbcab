-- Digests that somebody asked to be remembered; never what they were made of.
CREATE TABLE millrace.digests (
    algorithm text NOT NULL,
    digest bytea NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    count bigint NOT NULL,
    -- bytes of the input; the same for all inputs of one digest, but for a collision
    size bigint NOT NULL,
    -- the latest that was given
    label text,
    PRIMARY KEY (algorithm, digest)
) WITH (fillfactor = 85);  -- room to count on within the page, without touching the index

-- What replicas and workers share and nobody else may know; no role but the owner reads it.
CREATE TABLE millrace.secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL
);
-- 244 random bits: gen_random_uuid is as random as pgcrypto, which not every server has
INSERT INTO millrace.secrets (name, value)
VALUES ('sealing key', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

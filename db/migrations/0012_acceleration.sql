-- What operators want accelerated, and how the keepers of its segments share the work.

-- By name, and not by oid: the table may not be there yet, or another one may take its place.
CREATE TABLE millrace.acceleration_orders (
    schema_name name NOT NULL,
    table_name name NOT NULL,
    PRIMARY KEY (schema_name, table_name),
    -- false: what there is of it is to be removed, and this row with it
    is_wanted boolean NOT NULL DEFAULT true,
    ordered_at timestamptz NOT NULL DEFAULT now(),
    -- until when nobody needs to try: somebody is at it, or it failed
    due_at timestamptz NOT NULL DEFAULT now(),
    -- how often it failed in a row, and why at last
    attempts int NOT NULL DEFAULT 0,
    code text,
    problem text
);

CREATE TABLE millrace.table_care (
    accelerated int PRIMARY KEY REFERENCES millrace.accelerated_tables ON DELETE CASCADE,
    -- queries of it, and those of them that segments answered at least in part
    asked_at timestamptz,
    asked bigint NOT NULL DEFAULT 0,
    answered bigint NOT NULL DEFAULT 0,
    -- until when somebody sees to the log, the files and the cuts
    seen_to_until timestamptz NOT NULL DEFAULT '-infinity',
    -- builds that failed in a row, why the last one did, and when to try again
    failures int NOT NULL DEFAULT 0,
    cause text,
    problem text,
    retry_at timestamptz NOT NULL DEFAULT '-infinity'
);

-- from when on a bucket waits for its first copy
ALTER TABLE millrace.buckets ADD made_at timestamptz NOT NULL DEFAULT now();

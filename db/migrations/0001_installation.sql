-- Who brought this database up. One row; `demo` says that the demo tables were put here by us,
-- which only happens in a database that `millrace up` itself created.
CREATE TABLE millrace.installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    demo boolean NOT NULL DEFAULT false
);

INSERT INTO millrace.installation DEFAULT VALUES;

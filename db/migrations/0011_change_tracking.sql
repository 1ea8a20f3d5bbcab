-- Which tables have columnar copies, of which key ranges, and what changed since.
-- docs/columnar.md says why what is decided here is exact.

-- The reader may enter this schema and run one function of it, and see nothing else of ours.
CREATE SCHEMA IF NOT EXISTS millrace_tracking;
REVOKE ALL ON SCHEMA millrace_tracking FROM PUBLIC;

CREATE TABLE millrace.accelerated_tables (
    -- never used twice: what is installed anew after a break has nothing in common with what was
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation oid NOT NULL UNIQUE,
    schema_name name NOT NULL,
    table_name name NOT NULL,
    key_column name NOT NULL,
    key_number smallint NOT NULL,
    key_type text NOT NULL,
    -- what the catalog said when the triggers were made; see millrace.tracking_problem
    columns_then xid[] NOT NULL,
    triggers_then xid[] NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);

-- An id means one half-open range of the key for ever: writers that have not heard of the latest
-- cut log ids of the one before, and still say the truth.
CREATE TABLE millrace.buckets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    accelerated int NOT NULL REFERENCES millrace.accelerated_tables ON DELETE CASCADE,
    -- as SQL writes it; null: no bound
    lower_key text,
    upper_key text,
    -- the same as a number that sorts as the keys do
    lower_rank bigint,
    upper_rank bigint,
    -- whether triggers that run now log it
    is_current boolean NOT NULL DEFAULT true,
    CHECK ((lower_key IS NULL) = (lower_rank IS NULL)),
    CHECK ((upper_key IS NULL) = (upper_rank IS NULL)),
    CHECK (lower_rank < upper_rank)
);
CREATE INDEX buckets_of_table ON millrace.buckets (accelerated);

-- A segment's id is its version: another copy of the same bucket is another segment.
CREATE TABLE millrace.segments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    accelerated int NOT NULL REFERENCES millrace.accelerated_tables ON DELETE CASCADE,
    bucket bigint NOT NULL REFERENCES millrace.buckets ON DELETE CASCADE,
    ranks int8range NOT NULL,
    -- building → ready → retired or broken; never back: the log may have been trimmed meanwhile
    state text NOT NULL DEFAULT 'building'
        CHECK (state IN ('building', 'ready', 'retired', 'broken')),
    file_name text NOT NULL UNIQUE,
    -- before its rows are read: what was committed then is in it
    registered pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    -- under which its rows were read
    snapshot pg_snapshot,
    -- that of the table, in the snapshot: a rewrite changes it
    file_node oid,
    row_count bigint,
    byte_size bigint,
    sha256 bytea,
    -- per column that is in it: its type, and the least and greatest value as text
    statistics jsonb,
    -- per column that is not: why
    left_out jsonb,
    problem text,
    registered_at timestamptz NOT NULL DEFAULT now(),
    ready_at timestamptz,
    ended_at timestamptz,
    CHECK (state = 'building' OR num_nulls(snapshot, file_node, row_count, byte_size, sha256,
                                           statistics, left_out, ready_at) = 0),
    CHECK ((state IN ('retired', 'broken')) = (ended_at IS NOT NULL)),
    -- in no snapshot may a row be in two copies that count
    CONSTRAINT segments_apart EXCLUDE USING gist (
        int4range(accelerated, accelerated, '[]') WITH &&, ranks WITH &&) WHERE (state = 'ready')
);
CREATE INDEX segments_of_table ON millrace.segments (accelerated) WHERE state = 'ready';
CREATE INDEX segments_of_bucket ON millrace.segments (bucket) WHERE state = 'ready';

-- What committed transactions changed; rows are added, and trimmed when they say nothing any more.
-- Written by triggers as our owner: no other role has rights on it.
CREATE TABLE millrace.table_changes (
    accelerated int NOT NULL,
    -- null, or an id that is not known (any more): anything may have changed
    bucket bigint,
    xid xid8 NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000);
CREATE INDEX table_changes_of_table ON millrace.table_changes (accelerated, xid);

-- The transactions that wrote the catalog rows of a table's columns, dropped ones too.  Whatever
-- alters, adds or drops a column, or makes the table a child or a partition, leaves others behind,
-- also after it was undone.
CREATE FUNCTION millrace.columns_now(given oid) RETURNS xid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(SELECT a.xmin FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = given AND a.attnum > 0 ORDER BY a.attnum);
END $$;

-- Those of our triggers in the same way: one that was disabled and enabled again differs.
CREATE FUNCTION millrace.triggers_now(given oid) RETURNS xid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(SELECT t.xmin FROM pg_catalog.pg_trigger t
                  WHERE t.tgrelid = given AND t.tgname LIKE 'millrace\_%' ORDER BY t.tgname);
END $$;

-- Why a table's changes may have gone unnoticed, as the snapshot of the caller sees it; null: they
-- were not.  The codes are those of db/tracking/breaks.py.
CREATE FUNCTION millrace.tracking_problem(given oid) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    known record;
    noticed text;
BEGIN
    SELECT a.table_name, a.schema_name, a.key_number, a.columns_then, a.triggers_then
      INTO known FROM millrace.accelerated_tables a WHERE a.relation = given;
    IF NOT FOUND THEN
        RETURN 'not-accelerated';
    END IF;
    SELECT CASE
        WHEN c.relname <> known.table_name OR n.nspname <> known.schema_name THEN 'renamed'
        WHEN c.relkind <> 'r' OR c.relpersistence <> 'p' THEN 'not-permanent'
        WHEN c.relrowsecurity THEN 'row-security'
        WHEN c.relispartition
             OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = given)
             OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = given)
            THEN 'inheritance'
        WHEN NOT EXISTS (
            SELECT FROM pg_catalog.pg_index x
             WHERE x.indrelid = given AND x.indisunique AND x.indisvalid AND x.indimmediate
               AND x.indpred IS NULL AND x.indkey[0] = known.key_number) THEN 'key'
        WHEN NOT has_table_privilege(session_user, given, 'SELECT') THEN 'no-right'
        END INTO noticed
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = given;
    RETURN CASE
        WHEN NOT FOUND THEN 'gone'
        WHEN noticed IS NOT NULL THEN noticed
        WHEN millrace.columns_now(given) <> known.columns_then THEN 'columns'
        WHEN millrace.triggers_now(given) <> known.triggers_then THEN 'triggers'
        END;
END $$;

-- The clean check: of each table, which segments are as good as the table (`clean`) and which are
-- not (`dirty`); neither where changes may have gone unnoticed (`problem`).  `marks` tell what the clean
-- ones hold, by the beginning of the SHA-256 of their files: after a failover, or when a backup was
-- restored, an id may mean another segment than before.  Run it in a transaction
-- that locked the tables (ACCESS SHARE) before its snapshot was taken: db/tracking/clean_check.py.
-- In steps, since the plan of one large statement would depend on statistics, which small tables
-- that change at once do not have.
CREATE FUNCTION millrace_tracking.check_segments(given oid[])
RETURNS TABLE (relation oid, problem text, clean bigint[], dirty bigint[], marks text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- planning anew for each length of the arrays would take ten times as long as running
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    accelerated_id int;
    file_now oid;
    oldest xid8;
    newest xid8;
    changed bigint[];
    changers xid8[];
    outdated bigint[];
BEGIN
    FOREACH relation IN ARRAY given LOOP
        clean := '{}';
        dirty := '{}';
        marks := '{}';
        problem := millrace.tracking_problem(relation);
        IF problem IS NULL THEN
            SELECT a.id, c.relfilenode INTO accelerated_id, file_now
              FROM millrace.accelerated_tables a JOIN pg_class c ON c.oid = a.relation
             WHERE a.relation = check_segments.relation;
            outdated := '{}';
            IF EXISTS (SELECT FROM millrace.table_changes l WHERE l.accelerated = accelerated_id)
            THEN
                SELECT min(pg_snapshot_xmin(s.snapshot)), max(pg_snapshot_xmax(s.snapshot))
                  INTO oldest, newest FROM millrace.segments s
                 WHERE s.accelerated = accelerated_id AND s.state = 'ready';
                -- from `newest` on no segment sees any: one of them stands for all
                SELECT array_agg(l.bucket), array_agg(l.xid) INTO changed, changers
                  FROM (SELECT DISTINCT l.bucket, least(l.xid, newest) AS xid
                          FROM millrace.table_changes l
                         WHERE l.accelerated = accelerated_id AND l.xid >= oldest) l;
                -- segments that count are apart: a change of one's own bucket concerns no other
                outdated := ARRAY(
                    SELECT s.id FROM unnest(changed, changers) AS l (bucket, xid)
                      JOIN millrace.segments s ON s.bucket = l.bucket AND s.state = 'ready'
                     WHERE NOT pg_visible_in_snapshot(l.xid, s.snapshot)
                    UNION ALL
                    -- of buckets cut anew, or still to be copied; or nobody knows of which
                    SELECT s.id FROM unnest(changed, changers) AS l (bucket, xid)
                      LEFT JOIN millrace.buckets b ON b.id = l.bucket
                      JOIN millrace.segments s ON s.accelerated = accelerated_id
                       AND s.state = 'ready' AND (b.id IS NULL
                           OR s.ranks && int8range(b.lower_rank, b.upper_rank))
                     WHERE NOT EXISTS (SELECT FROM millrace.segments own
                                        WHERE own.bucket = l.bucket AND own.state = 'ready')
                       AND NOT pg_visible_in_snapshot(l.xid, s.snapshot));
            END IF;
            SELECT coalesce(array_agg(s.id) FILTER (WHERE s.is_same), '{}'),
                   coalesce(array_agg(s.id) FILTER (WHERE NOT s.is_same), '{}'),
                   coalesce(array_agg(left(encode(s.sha256, 'hex'), 16))
                            FILTER (WHERE s.is_same), '{}')
              INTO clean, dirty, marks
              FROM (SELECT s.id, s.sha256, s.file_node = file_now AND s.id <> ALL (outdated) AS is_same
                      FROM millrace.segments s
                     WHERE s.accelerated = accelerated_id AND s.state = 'ready') s;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION millrace.columns_now(oid), millrace.triggers_now(oid),
    millrace.tracking_problem(oid), millrace_tracking.check_segments(oid[]) FROM PUBLIC;

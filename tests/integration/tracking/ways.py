"""Ways to change a tracked table so that the change might escape the log, as statements."""

# What ends the tracking of the whole table, as SQL; with %: run in a session of its own
STATEMENTS: dict[str, tuple[str, ...]] = {
    "a trigger is disabled": ("ALTER TABLE items DISABLE TRIGGER millrace_update",),
    "a trigger is disabled, and enabled again after a write": (
        "ALTER TABLE items DISABLE TRIGGER USER",
        "UPDATE items SET amount = 0 WHERE id = 1",
        "ALTER TABLE items ENABLE ALWAYS TRIGGER millrace_insert",
        "ALTER TABLE items ENABLE ALWAYS TRIGGER millrace_update",
        "ALTER TABLE items ENABLE ALWAYS TRIGGER millrace_delete",
        "ALTER TABLE items ENABLE ALWAYS TRIGGER millrace_truncate",
        "ALTER TABLE items ENABLE REPLICA TRIGGER millrace_replicated",
    ),
    "a trigger fires for origin only": ("ALTER TABLE items ENABLE TRIGGER millrace_insert",),
    "a trigger is dropped": ("DROP TRIGGER millrace_delete ON items",),
    "a trigger is dropped and made again after a write": (
        "DROP TRIGGER millrace_truncate ON items",
        "UPDATE items SET amount = 0 WHERE id = 1",
        "DO $$ BEGIN EXECUTE 'CREATE TRIGGER millrace_truncate AFTER TRUNCATE ON items "
        "EXECUTE FUNCTION millrace.track_' || (SELECT max(id) FROM millrace.accelerated_tables)"
        " || '()'; END $$",
        "ALTER TABLE items ENABLE ALWAYS TRIGGER millrace_truncate",
    ),
    "a column is added": ("ALTER TABLE items ADD COLUMN more int DEFAULT 7",),
    "a column is dropped": ("ALTER TABLE items DROP COLUMN label",),
    "a column is renamed": ("ALTER TABLE items RENAME COLUMN label TO name",),
    "a column is renamed and named back": (
        "ALTER TABLE items RENAME COLUMN label TO name",
        "ALTER TABLE items RENAME COLUMN name TO label",
    ),
    "a column's type changes": ("ALTER TABLE items ALTER COLUMN amount TYPE numeric(14,2)",),
    "a column's collation changes": (
        'ALTER TABLE items ALTER COLUMN label TYPE text COLLATE "default"',
    ),
    "the key's type changes": ("ALTER TABLE items ALTER COLUMN id TYPE bigint",),
    "the key's name changes": ("ALTER TABLE items RENAME COLUMN id TO number",),
    "a column is rewritten by ALTER TYPE with USING": (
        "ALTER TABLE items ALTER COLUMN amount TYPE numeric(12,2) USING amount + 1",
    ),
    "the table is renamed": ("ALTER TABLE items RENAME TO things",),
    "the table moves to another schema": (
        "CREATE SCHEMA elsewhere",
        "ALTER TABLE items SET SCHEMA elsewhere",
    ),
    "the schema is renamed": ("ALTER SCHEMA public RENAME TO elsewhere",),
    "the table is dropped": ("DROP TABLE items",),
    "the key's constraint is dropped": ("ALTER TABLE items DROP CONSTRAINT items_pkey",),
    "row-level security is switched on": ("ALTER TABLE items ENABLE ROW LEVEL SECURITY",),
    "the table is attached as a partition": (
        'CREATE TABLE parent (id int NOT NULL, label text COLLATE "C", amount numeric(12,2)) '
        "PARTITION BY RANGE (id)",
        "ALTER TABLE parent ATTACH PARTITION items FOR VALUES FROM (0) TO (2000)",
        "UPDATE parent SET amount = 0 WHERE id = 1",
    ),
    "the table becomes a child": (
        'CREATE TABLE parent (label text COLLATE "C")',
        "ALTER TABLE items INHERIT parent",
        "UPDATE parent SET label = '' WHERE label = 'item 1'",
    ),
    "a child is made of the table": (
        "CREATE TABLE child () INHERITS (items)",
        "INSERT INTO child VALUES (1, 'again', 1)",
    ),
    "the table was a child for a while": (
        'CREATE TABLE parent (label text COLLATE "C")',
        "ALTER TABLE items INHERIT parent",
        "UPDATE parent SET label = '' WHERE label = 'item 1'",
        "ALTER TABLE items NO INHERIT parent",
    ),
    "the table was a partition for a while": (
        'CREATE TABLE parent (id int NOT NULL, label text COLLATE "C", amount numeric(12,2)) '
        "PARTITION BY RANGE (id)",
        "ALTER TABLE parent ATTACH PARTITION items FOR VALUES FROM (0) TO (2000)",
        "UPDATE parent SET amount = 0 WHERE id = 1",
        "ALTER TABLE parent DETACH PARTITION items",
    ),
    "the table becomes unlogged": ("ALTER TABLE items SET UNLOGGED",),
    "the reader loses its right": ("REVOKE SELECT ON items FROM millrace_reader",),
    "another table takes its name": (
        "ALTER TABLE items RENAME TO things",
        "CREATE TABLE items AS SELECT * FROM things",
    ),
}
REWRITES: dict[str, tuple[str, ...]] = {
    "the table was unlogged for a while": (
        "ALTER TABLE items SET UNLOGGED",
        "ALTER TABLE items SET LOGGED",
    ),
    "VACUUM FULL": ("VACUUM FULL items",),
    "CLUSTER": ("CLUSTER items USING items_pkey",),
    "TRUNCATE": ("TRUNCATE items",),
}
# What the log tells, and the places of the buckets that are dirty then
LOGGED: dict[str, tuple[tuple[str, ...], set[int]]] = {
    "session_replication_role = replica": (
        (
            "SET session_replication_role = replica",
            "UPDATE items SET amount = 0 WHERE id IN (1, 300)",
            "INSERT INTO items VALUES (2000)",
        ),
        {0, 1, 3},
    ),
    "a savepoint is rolled back": (
        (
            "BEGIN", "DELETE FROM items WHERE id = 1", "SAVEPOINT a",
            "DELETE FROM items WHERE id = 300", "ROLLBACK TO a",
            "DELETE FROM items WHERE id = 600", "COMMIT",
        ),
        {0, 2},
    ),
    "INSERT ON CONFLICT DO UPDATE": (
        (
            "INSERT INTO items VALUES (1), (2000) ON CONFLICT (id) DO UPDATE SET amount = 0",
        ),
        {0, 3},
    ),
    "MERGE": (
        (
            "MERGE INTO items USING (VALUES (1, 'd'), (300, 'u'), (2000, 'i')) AS v (n, how) "
            "ON id = n WHEN MATCHED AND how = 'd' THEN DELETE WHEN MATCHED THEN "
            "UPDATE SET amount = 0 WHEN NOT MATCHED THEN INSERT VALUES (n)",
        ),
        {0, 1, 3},
    ),
    "a key moves to another bucket": (("UPDATE items SET id = -1 WHERE id = 600",), {0, 2}),
    "a writable common table expression": (
        (
            "WITH gone AS (DELETE FROM items WHERE id = 1 RETURNING id) "
            "UPDATE items SET amount = 0 FROM gone WHERE items.id = gone.id + 299",
        ),
        {0, 1},
    ),
    "a trigger or function of somebody's writes": (
        (
            "CREATE TABLE orders (item int)",
            "CREATE FUNCTION sold() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN UPDATE items SET amount = amount - 1 WHERE id = NEW.item; RETURN NULL; END'",
            "CREATE TRIGGER sold AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION sold()",
            "INSERT INTO orders VALUES (1), (600)",
        ),
        {0, 2},
    ),
    "a rule rewrites the write": (
        (
            "CREATE RULE no_delete AS ON DELETE TO items DO INSTEAD "
            "UPDATE items SET label = 'gone' WHERE id = OLD.id",
            "DELETE FROM items WHERE id = 1",
        ),
        {0},
    ),
}  # fmt: skip

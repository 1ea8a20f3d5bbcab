"""The text of a table's trigger function, and of the triggers that call it.

One function per table, in which the key's name and the bounds stand as constants: looking them up
would cost each statement more than its row in the log does.
"""

from collections.abc import Sequence

from psycopg import sql

from db.settings import OWN_SCHEMA
from db.tracking.buckets import Bucket
from db.tracking.keys import KeyType

_OLD, _NEW = "OLD TABLE AS old_rows", "NEW TABLE AS new_rows"

# name, when it fires, transition tables, in which replication roles
_TRIGGERS = (
    ("millrace_insert", "INSERT", f"REFERENCING {_NEW}", "ALWAYS"),
    ("millrace_update", "UPDATE", f"REFERENCING {_OLD} {_NEW}", "ALWAYS"),
    ("millrace_delete", "DELETE", f"REFERENCING {_OLD}", "ALWAYS"),
    ("millrace_truncate", "TRUNCATE", "", "ALWAYS"),
    # rows that logical replication applies fire no triggers of statements; elsewhere it sleeps
    ("millrace_replicated", "INSERT OR UPDATE OR DELETE", "", "REPLICA"),
)

# What fails here must not fail the writer's statement: then anything may have changed.  Nothing is
# written within the inner block, so that its subtransaction needs no transaction id of its own.
_BODY = """
DECLARE
    touched bigint[] := ARRAY[NULL]::bigint[];
BEGIN
    BEGIN
        IF TG_LEVEL = 'ROW' THEN
            IF TG_OP = 'INSERT' THEN
                touched := ARRAY[{of_new}];
            ELSIF TG_OP = 'UPDATE' THEN
                touched := ARRAY[{of_old}, {of_new}];
            ELSE
                touched := ARRAY[{of_old}];
            END IF;
        ELSIF TG_OP = 'INSERT' THEN
            touched := ARRAY(SELECT DISTINCT {of_row} FROM new_rows AS r);
        ELSIF TG_OP = 'UPDATE' THEN
            touched := ARRAY(SELECT {of_row} FROM old_rows AS r
                             UNION SELECT {of_row} FROM new_rows AS r);
        ELSIF TG_OP = 'DELETE' THEN
            touched := ARRAY(SELECT DISTINCT {of_row} FROM old_rows AS r);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        touched := ARRAY[NULL]::bigint[];
    END;
    INSERT INTO {log} (accelerated, bucket, xid)
    SELECT {id}, t.bucket, pg_current_xact_id() FROM unnest(touched) AS t (bucket);
    RETURN NULL;
END """
_BUCKET = "({ids}::bigint[])[width_bucket({row}.{key}, {bounds}::{type}[]) + 1]"


def function_name(accelerated: int) -> sql.Identifier:
    """Return the name of the trigger function of an accelerated table."""
    return sql.Identifier(OWN_SCHEMA, f"track_{accelerated}")


def trigger_function(
    accelerated: int, key_column: str, key: KeyType, buckets: Sequence[Bucket]
) -> sql.Composed:
    """Return the statement that makes, or replaces, the function; `buckets` are all, in order."""
    bounds = [bucket.range.lower.key for bucket in buckets if bucket.range.lower is not None]

    def bucket_of(row: str) -> sql.Composed:
        return sql.SQL(_BUCKET).format(
            ids=sql.Literal("{" + ",".join(str(bucket.id) for bucket in buckets) + "}"),
            row=sql.SQL(row),
            key=sql.Identifier(key_column),
            bounds=sql.Literal("{" + ",".join(f'"{bound}"' for bound in bounds) + "}"),
            type=sql.SQL(key.name),
        )

    body = sql.SQL(_BODY).format(
        of_new=bucket_of("new"),
        of_old=bucket_of("old"),
        of_row=bucket_of("r"),
        log=sql.Identifier(OWN_SCHEMA, "table_changes"),
        id=sql.Literal(accelerated),
    )
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql "
        "SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {body}"
    ).format(function=function_name(accelerated), body=sql.Literal(body.as_string(None)))


def trigger_statements(accelerated: int, table: sql.Identifier) -> list[sql.Composed]:
    """Return the statements that make the triggers; each takes SHARE ROW EXCLUSIVE."""
    statements = []
    for name, events, tables, enabled in _TRIGGERS:
        level = "ROW" if enabled == "REPLICA" else "STATEMENT"
        parts = {
            "name": sql.Identifier(name),
            "table": table,
            "function": function_name(accelerated),
        }
        statements += [
            sql.SQL(
                f"CREATE TRIGGER {{name}} AFTER {events} ON {{table}} {tables} "
                f"FOR EACH {level} EXECUTE FUNCTION {{function}}()"
            ).format(**parts),
            sql.SQL(f"ALTER TABLE {{table}} ENABLE {enabled} TRIGGER {{name}}").format(**parts),
        ]
    return statements

"""The demo table `numbers`: the same 100,000 rows on every machine."""

import psycopg
from psycopg import sql

ROWS = 100_000

# Integer arithmetic alone (a 32-bit mixing hash, by multiplication and shifts), not random():
# that depends on the server's version.
_FILL = """
CREATE TABLE {table} (
    id int PRIMARY KEY,
    n int NOT NULL,
    v double precision NOT NULL,
    grp text NOT NULL,
    amount numeric(12,2),
    created_at timestamptz NOT NULL
);
INSERT INTO {table}
SELECT i,
       (h[1] % 100000)::int,
       h[2]::double precision / 4294967296 * 1000,
       'g' || h[3] % 10,
       CASE WHEN h[4] % 20 > 0 THEN (h[5] % 1200000 - 200000)::numeric / 100 END,
       timestamptz '2024-01-01 00:00:00+00' + make_interval(secs => (h[6] % 31536000)::int)
FROM generate_series(1, {rows}) AS i,
     LATERAL (
         SELECT array_agg((c >> 16) # c ORDER BY k)
         FROM generate_series(1, 6) AS k,
              LATERAL (SELECT i::bigint * 8 + k) AS seed (x),
              LATERAL (SELECT ((x >> 16) # x) * 73244475 & 4294967295) AS first (b),
              LATERAL (SELECT ((b >> 16) # b) * 73244475 & 4294967295) AS second (c)
     ) AS hashes (h)
"""


def create_demo(owner_url: str, schema: str) -> bool:
    """Create the table unless this database has had it before; return whether it was created.

    Only for a database that we created ourselves.  The mark and the table are one transaction,
    so who drops the table does not get it back, and a start that was cut short tries again.
    """
    table = sql.Identifier(schema, "numbers")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        with connection.transaction():
            marked = connection.execute(
                "UPDATE millrace.installation SET demo = true WHERE NOT demo"
            ).rowcount
            name = table.as_string(connection)
            row = connection.execute("SELECT to_regclass(%s) IS NULL", [name]).fetchone()
            if not marked or row != (True,):  # somebody has loaded a table of that name already
                return False
            connection.execute(sql.SQL(_FILL).format(table=table, rows=sql.Literal(ROWS)))
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
    return True

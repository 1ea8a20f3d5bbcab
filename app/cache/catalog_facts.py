"""What the cache must know from PostgreSQL's catalog: the schema's version, and what is called."""

import json
import threading

from app.queries.control import Control
from app.queries.transaction import ReadTransaction
from db.database import Database
from db.errors import DatabaseError
from query.cacheable import Calls, Facts, Relation
from query.merge import array_literal
from query.statement import Statement

TIMEOUT_S = 5.0

# xmin: a changed row has another one.  Not of pg_class: TRUNCATE and CREATE INDEX change that, too
VERSION = """
SELECT md5(coalesce(string_agg(x.text, ',' ORDER BY x.text), '')) FROM (
    SELECT format('c%s:%s:%s:%s', c.oid, c.relname, c.relkind, c.relrowsecurity)
      FROM pg_class c WHERE c.relnamespace = n.oid
    UNION ALL SELECT 'a' || a.attrelid || ':' || a.attnum || ':' || a.xmin FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = n.oid
    UNION ALL SELECT 'p' || p.oid || ':' || p.xmin FROM pg_proc p WHERE p.pronamespace = n.oid
    UNION ALL SELECT 't' || t.oid || ':' || t.xmin FROM pg_type t WHERE t.typnamespace = n.oid
    UNION ALL SELECT 'o' || o.oid || ':' || o.xmin FROM pg_operator o WHERE o.oprnamespace = n.oid
    UNION ALL SELECT 'l' || l.oid || ':' || l.xmin FROM pg_collation l WHERE l.collnamespace = n.oid
    UNION ALL SELECT 'i' || i.inhrelid || ':' || i.inhparent FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhparent WHERE c.relnamespace = n.oid
    UNION ALL SELECT 's' || s.oid || ':' || s.xmin FROM pg_policy s
        JOIN pg_class c ON c.oid = s.polrelid WHERE c.relnamespace = n.oid
) AS x(text)
"""
VERSION_OF = f"SELECT ({VERSION}) FROM pg_namespace n WHERE n.nspname = $1"

RELATIONS = """
WITH RECURSIVE named AS (
    SELECT u.place, c.oid, c.relkind, n.nspname = $3 AND NOT c.relrowsecurity AS exposed
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(schema_name, table_name, place)
      JOIN pg_class c ON c.oid = to_regclass(
               coalesce(quote_ident(u.schema_name) || '.', '') || quote_ident(u.table_name))
      JOIN pg_namespace n ON n.oid = c.relnamespace
), below AS (
    SELECT place, oid FROM named
    UNION SELECT b.place, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
), above AS (
    SELECT place, oid FROM named
    UNION SELECT a.place, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid
)
SELECT d.place, d.relkind, d.exposed,
       (SELECT json_agg(DISTINCT c.relname)
          FROM (SELECT * FROM below UNION SELECT * FROM above) AS f
          JOIN pg_class c ON c.oid = f.oid WHERE f.place = d.place),
       (SELECT coalesce(json_object_agg(attname, atttypid::int8), '{}') FROM pg_attribute
         WHERE attrelid = d.oid AND attnum > 0 AND NOT attisdropped)
  FROM named d
"""

CALLED = """
SELECT DISTINCT p.proname, n.nspname = 'pg_catalog'
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.provolatile <> 'i'
   AND (p.proname = ANY ($1::text[])
        OR p.proname = ANY ($2::text[]) AND p.pronargs > 0 AND n.nspname <> 'pg_catalog')
UNION ALL
SELECT DISTINCT '', false FROM (
    SELECT oprcode AS code, oprnamespace AS space FROM pg_operator WHERE oid >= 16384
    UNION ALL SELECT castfunc, 0 FROM pg_cast WHERE oid >= 16384) AS x
  JOIN pg_proc p ON p.oid = x.code WHERE p.provolatile = 'v'
"""


class CatalogFacts:
    """Reads the facts; knows the newest version of the exposed schema."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._schema = schema
        self._lock = threading.Lock()
        self._version: str | None = None

    @property
    def version(self) -> str | None:
        """The newest version seen; None before the first."""
        return self._version

    def refresh(self) -> None:
        """Read the version anew; while PostgreSQL is away the old one stays."""
        try:
            with self._database.connection(TIMEOUT_S) as connection:
                transaction = ReadTransaction(connection, Control("", TIMEOUT_S))
                transaction.begin()
                self._read_version(transaction)
        except DatabaseError:
            return

    def facts(self, statement: Statement, called: Calls) -> tuple[str, Facts]:
        """Return the version and the facts about one statement, of one snapshot.

        Raises db.errors.
        """
        with self._database.connection(TIMEOUT_S) as connection:
            transaction = ReadTransaction(connection, Control("", TIMEOUT_S))
            transaction.begin()
            version = self._read_version(transaction)
            return version, self._read_facts(transaction, statement, called)

    def _read_version(self, transaction: ReadTransaction) -> str:
        rows = transaction.rows(VERSION_OF, [self._schema])
        version = (rows[0][0] if rows else None) or ""
        with self._lock:
            self._version = version
        return version

    def _read_facts(
        self, transaction: ReadTransaction, statement: Statement, called: Calls
    ) -> Facts:
        tables = statement.tables
        schemas = array_literal([table.schema for table in tables])
        names = array_literal([table.name for table in tables])
        relations = {}
        for place, kind, exposed, family, columns in transaction.rows(
            RELATIONS, [schemas, names, self._schema]
        ):
            relations[tables[int(place or 0) - 1]] = Relation(
                kind or "", exposed == "t", frozenset(json.loads(family or "[]")),
                json.loads(columns or "{}"),
            )  # fmt: skip
        changing: set[str] = set()
        foreign: set[str] = set()
        for name, is_built_in in transaction.rows(
            CALLED,
            [array_literal(sorted(called.names)), array_literal(sorted(called.attributes))],
        ):
            (changing if is_built_in == "t" else foreign).add(name or "")
        return Facts(
            relations, frozenset(changing), frozenset(foreign - {""}),
            has_changing_operator="" in foreign,
        )  # fmt: skip

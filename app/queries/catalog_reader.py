"""Reads what planning must know from PostgreSQL's catalog."""

import json
from collections.abc import Sequence

from app.queries.transaction import ReadTransaction
from query.catalog import Catalog, Table
from query.fragment import ColumnType
from query.merge import array_literal
from query.statement import Statement
from query.types import COLLATABLE, TypeFact

FIRST_USER_OID = 16384

# plain: rows are exactly those of its own heap, the same for every session of the reader
TABLES = """
SELECT u.place, c.oid, n.nspname, c.relname, c.relkind,
       n.nspname = $3 AND NOT c.relhassubclass AND NOT c.relrowsecurity
           AND c.relpersistence IN ('p', 'u') AND coalesce(a.amname = 'heap', false),
       CASE WHEN c.relkind IN ('r', 'm')
            THEN pg_relation_size(c.oid) / current_setting('block_size')::int ELSE 0 END,
       (SELECT json_object_agg(attname, atttypid::int8) FROM pg_attribute
         WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
       (SELECT json_agg(t.attname) FROM pg_constraint k, unnest(k.conkey) AS p(attnum)
          JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum = p.attnum
         WHERE k.conrelid = c.oid AND k.contype = 'p' AND NOT k.condeferrable)
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(schema_name, table_name, place)
  JOIN pg_class c ON c.oid = to_regclass(
           coalesce(quote_ident(u.schema_name) || '.', '') || quote_ident(u.table_name))
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am a ON a.oid = c.relam
"""

READABLE = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname LIMIT 1000
"""

SHADOWING = """
SELECT DISTINCT f.proname FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname = $1 AND f.proname = ANY ($2)
"""

TYPES = """
SELECT format_type(t.oid, u.typmod), format_type(t.oid, -1), t.typtype, t.typcategory
  FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(type, typmod, place)
  JOIN pg_type t ON t.oid = u.type ORDER BY u.place
"""


class CatalogReader:
    """Reads facts within a query's own snapshot; keeps only what cannot change."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._names: dict[tuple[int, int], TypeFact] = {}

    def catalog(self, transaction: ReadTransaction, statement: Statement) -> Catalog:
        """Return the facts about the statement's tables; those that are not there are left out."""
        tables = statement.tables
        schemas = array_literal([table.schema for table in tables])
        names = array_literal([table.name for table in tables])
        found = {}
        for row in transaction.rows(TABLES, [schemas, names, self._schema]):
            place, oid, schema, name, kind, plain, blocks, columns, key = row
            found[tables[int(place or 0) - 1]] = Table(
                oid=int(oid or 0),
                schema=schema or "",
                name=name or "",
                kind=kind or "",
                plain=plain == "t",
                blocks=int(blocks or 0),
                columns=json.loads(columns or "{}"),
                primary_key=frozenset(json.loads(key or "[]")),
            )
        called = array_literal(sorted(statement.called))
        own = transaction.rows(SHADOWING, [self._schema, called])
        return Catalog(found, frozenset(row[0] for row in own if row[0]))

    def table_names(self, transaction: ReadTransaction) -> list[str]:
        """Return the names of what the reader may read in the exposed schema."""
        return [row[0] for row in transaction.rows(READABLE, [self._schema]) if row[0]]

    def type_facts(
        self, transaction: ReadTransaction, columns: Sequence[ColumnType]
    ) -> list[TypeFact]:
        """Return the facts about the columns' types; collations are left out."""
        wanted = [(column.oid, column.typmod) for column in columns]
        unknown = list(dict.fromkeys(pair for pair in wanted if pair not in self._names))
        facts = dict(self._names)
        if unknown:
            oids = array_literal([str(oid) for oid, _ in unknown])
            typmods = array_literal([str(typmod) for _, typmod in unknown])
            rows = transaction.rows(TYPES, [oids, typmods])
            for (oid, typmod), (name, base_name, kind, category) in zip(unknown, rows, strict=True):
                fact = TypeFact(
                    oid, typmod, name or "", base_name or "", kind or "", is_array=category == "A"
                )
                facts[oid, typmod] = fact
                if oid < FIRST_USER_OID:
                    self._names[oid, typmod] = fact
        return [facts[pair] for pair in wanted]

    def with_collations(
        self,
        transaction: ReadTransaction,
        facts: Sequence[TypeFact],
        probe: str,
        parameters: Sequence[str | None],
    ) -> list[TypeFact]:
        """Add the collations of the columns of the query `probe`, whose types are `facts`.

        PostgreSQL derives them; the query is planned for that, and not run.
        """
        places = [place for place, fact in enumerate(facts) if fact.oid in COLLATABLE]
        if not places:
            return list(facts)
        asked = ", ".join(f"pg_collation_for(x.c{place})" for place in places)
        columns = ", ".join(f"c{place}" for place in range(len(facts)))
        sql = f"SELECT {asked} FROM (SELECT) AS one LEFT JOIN ({probe}) AS x({columns}) ON false"
        (names,) = transaction.rows(sql, parameters)
        complete = list(facts)
        for place, name in zip(places, names, strict=True):
            if name is None or name == '"default"':
                continue
            deterministic = transaction.rows(
                "SELECT collisdeterministic FROM pg_collation WHERE oid = $1::regcollation", [name]
            )
            fact = facts[place]
            complete[place] = TypeFact(
                fact.oid, fact.typmod, fact.name, fact.base_name, fact.kind, fact.is_array,
                collation=name, deterministic=deterministic[0][0] == "t",
            )  # fmt: skip
        return complete

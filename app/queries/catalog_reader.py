"""Reads what planning must know from PostgreSQL's catalog."""

import json
from collections.abc import Hashable, Iterator, Sequence

from app.queries.errors import RunWhole
from app.queries.transaction import Described, ReadTransaction
from db.pool import Row
from db.questions import Rows
from query.catalog import Catalog, Table
from query.expressions import TAKES_ANY
from query.fragment import ColumnType
from query.merge import array_literal
from query.statement import Statement
from query.types import COLLATABLE, TypeFact

FIRST_USER_OID = 16384

# plain: rows are exactly those of heaps, the same for every session of the reader.  Policies of
# children do not count, nor do their rights: PostgreSQL asks the table that the query names.
TABLES = """
WITH RECURSIVE named AS (
    SELECT u.place, c.* FROM unnest($1::text[], $2::text[])
           WITH ORDINALITY AS u(schema_name, table_name, place)
      JOIN pg_class c ON c.oid = to_regclass(
               coalesce(quote_ident(u.schema_name) || '.', '') || quote_ident(u.table_name))
), below(root, oid) AS (
    SELECT oid, oid FROM named WHERE relkind IN ('r', 'm', 'p')
    UNION
    SELECT below.root, i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid
), heaps AS (
    SELECT below.root,
           bool_and(c.relpersistence IN ('p', 'u')
                    AND (c.relkind = 'p' OR (c.relkind IN ('r', 'm') AND a.amname = 'heap'))
           ) AS all,
           coalesce(json_agg(pg_relation_size(c.oid) / current_setting('block_size')::int)
                    FILTER (WHERE c.relkind IN ('r', 'm')), '[]') AS blocks
      FROM below JOIN pg_class c USING (oid) LEFT JOIN pg_am a ON a.oid = c.relam
     GROUP BY below.root
)
SELECT c.place, c.oid, n.nspname, c.relname, c.relkind,
       n.nspname = $3 AND NOT c.relrowsecurity AND coalesce(h.all, false),
       h.blocks,
       (SELECT json_agg(json_build_array(t.attname, t.atttypid::int8, t.atttypmod, y.typtype,
                                         coalesce(l.collisdeterministic, true)))
          FROM pg_attribute t JOIN pg_type y ON y.oid = t.atttypid
          LEFT JOIN pg_collation l ON l.oid = t.attcollation
         WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped),
       (SELECT json_agg(t.attname) FROM pg_constraint k, unnest(k.conkey) AS p(attnum)
          JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum = p.attnum
         WHERE k.conrelid = c.oid AND k.contype = 'p' AND NOT k.condeferrable
           AND (c.relkind = 'p' OR NOT c.relhassubclass)),
       CASE WHEN c.relkind = 'v' AND n.nspname = $3
             AND coalesce(array_to_string(c.reloptions, ' ') !~ 'security_barrier', true)
            THEN pg_get_viewdef(c.oid) END
  FROM named c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN heaps h ON h.root = c.oid
"""

READABLE = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname LIMIT 1000
"""

# by name: whether one of the exposed schema has it, and whether all built-in ones are harmless
FUNCTIONS = """
SELECT f.proname, bool_or(n.nspname = $1),
       bool_and(f.provolatile = 'i' AND f.proparallel = 's' AND f.prokind = 'f'
                AND NOT f.proretset) FILTER (WHERE n.nspname = 'pg_catalog')
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname IN ($1, 'pg_catalog') AND f.proname = ANY ($2) GROUP BY f.proname
"""

SECURED = """
SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relrowsecurity LIMIT 1
"""

TYPES = """
SELECT format_type(t.oid, u.typmod), format_type(t.oid, -1), t.typtype, t.typcategory
  FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS u(type, typmod, place)
  JOIN pg_type t ON t.oid = u.type ORDER BY u.place
"""

DETERMINISTIC = """
SELECT c.collisdeterministic FROM unnest($1::text[]) WITH ORDINALITY AS u(name, place)
  JOIN pg_collation c ON c.oid = u.name::regcollation ORDER BY u.place
"""


class CatalogReader:
    """Reads facts within a query's own snapshot; keeps only what cannot change."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._names: dict[tuple[int, int], TypeFact] = {}

    def catalog(
        self, transaction: ReadTransaction, statement: Statement, sql: str
    ) -> tuple[Catalog, Described]:
        """Return the facts about the statement's tables, and the description of `sql`.

        Tables that are not there are left out.  All of it is one round trip, or none where `ask`
        was there before.
        """
        known = transaction.catalogs.get(_key(statement, sql))
        if known is None:
            self.ask(transaction, statement, sql)
            known = transaction.catalogs[_key(statement, sql)]
        return known

    def ask(
        self, transaction: ReadTransaction, statement: Statement, sql: str, *questions: Rows
    ) -> list[list[Row]]:
        """Have what `catalog` returns, and the rows of `questions`, which come first."""
        tables = statement.tables
        schemas = array_literal([table.schema for table in tables])
        names = array_literal([table.name for table in tables])
        called = array_literal(sorted(statement.called | TAKES_ANY))
        (*answers, rows, functions), described = transaction.ask(
            *questions,
            Rows(TABLES, [schemas, names, self._schema], is_kept=True),
            Rows(FUNCTIONS, [self._schema, called], is_kept=True),
            describing=sql,
        )
        found = {}
        for row in rows:
            place, oid, schema, name, kind, plain, blocks, columns, key, definition = row
            attributes = json.loads(columns or "[]")
            found[tables[int(place or 0) - 1]] = Table(
                oid=int(oid or 0),
                schema=schema or "",
                name=name or "",
                kind=kind or "",
                plain=plain == "t",
                heaps=tuple(json.loads(blocks or "[]")),
                columns={column: type_ for column, type_, *_ in attributes},
                primary_key=frozenset(json.loads(key or "[]")),
                ambiguous=frozenset(_ambiguous(attributes)),
                definition=definition,
            )
        shadowing = frozenset(name for name, own, _ in functions if name and own == "t")
        immutable = frozenset(name for name, _, harmless in functions if name and harmless == "t")
        catalog = Catalog(found, shadowing, immutable)
        transaction.catalogs[_key(statement, sql)] = catalog, described
        return answers

    def table_names(self, transaction: ReadTransaction) -> list[str]:
        """Return the names of what the reader may read in the exposed schema."""
        return [row[0] for row in transaction.rows(READABLE, [self._schema]) if row[0]]

    def may_be_seen(
        self, transaction: ReadTransaction, relations: Sequence[tuple[str, str]]
    ) -> bool:
        """Tell whether a plan over these (schema, name) shows nothing that the reader may not see.

        Plans name the tables behind views, and count the rows that a policy removes.
        """
        if any(schema != self._schema for schema, _ in relations):
            return False
        names = array_literal([name for _, name in relations])
        return not transaction.rows(SECURED, [self._schema, names])

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

        PostgreSQL derives them; the query is planned for that, and not run.  Raises RunWhole
        where it cannot: it may refuse to sort or compare what a merge would.
        """
        places = [place for place, fact in enumerate(facts) if fact.oid in COLLATABLE]
        if not places:
            return list(facts)
        asked = ", ".join(f"pg_collation_for(x.c{place})" for place in places)
        columns = ", ".join(f"c{place}" for place in range(len(facts)))
        sql = f"SELECT {asked} FROM (SELECT) AS one LEFT JOIN ({probe}) AS x({columns}) ON false"
        (names,) = transaction.rows(sql, parameters)
        if None in names:
            raise RunWhole("a column of a part has two collations, so none")
        complete = list(facts)
        others = {
            place: name
            for place, name in zip(places, names, strict=True)
            if name is not None and name != '"default"'
        }
        flags = (
            transaction.rows(DETERMINISTIC, [array_literal(list(others.values()))])
            if others
            else []
        )
        for (place, name), (deterministic,) in zip(others.items(), flags, strict=True):
            fact = facts[place]
            complete[place] = TypeFact(
                fact.oid, fact.typmod, fact.name, fact.base_name, fact.kind, fact.is_array,
                collation=name, deterministic=deterministic == "t",
            )  # fmt: skip
        return complete


def _key(statement: Statement, sql: str) -> Hashable:
    return statement.tables, statement.called, sql


def _ambiguous(attributes: list[tuple[str, int, int, str, bool]]) -> Iterator[str]:
    """Yield the names of columns whose equal values may look different."""
    for name, oid, typmod, kind, deterministic in attributes:
        fact = TypeFact(oid, typmod, "", "", kind, deterministic=deterministic)
        if not fact.has_one_representation:
            yield name

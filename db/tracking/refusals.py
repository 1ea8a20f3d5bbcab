"""Which tables can be tracked, and why others cannot."""

from collections.abc import Callable
from dataclasses import dataclass

from db.pool import Connection
from db.settings import OWN_SCHEMA, TRACKING_SCHEMA
from db.tracking.errors import TableRefused
from db.tracking.keys import KEY_TYPES

# A unique index that is there for good, in the order in which the key's own type sorts; the primary
# key's first.
_FACTS = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity::int,
       c.relispartition::int,
       (EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid))::int,
       (EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid))::int,
       pg_has_role(c.relowner, 'USAGE')::int, pg_get_userbyid(c.relowner),
       (EXISTS (SELECT FROM millrace.accelerated_tables WHERE relation = c.oid))::int,
       (EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname LIKE 'millrace\\_%'))::int,
       k.attname, k.attnum, k.type, k.attnotnull::int
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
      SELECT a.attname, a.attnum, a.attnotnull, format_type(a.atttypid, NULL) AS type
        FROM pg_index x JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
       WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indimmediate
         AND x.indpred IS NULL
       ORDER BY (a.attnotnull AND format_type(a.atttypid, NULL) = ANY ($3::text[])) DESC,
                x.indisprimary DESC, x.indnkeyatts, x.indexrelid LIMIT 1) AS k ON true
 WHERE n.nspname = $1 AND c.relname = $2"""


@dataclass(frozen=True)
class TableFacts:
    """What the catalog says of a table; the key's fields are None where it has no unique index."""

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    has_row_security: bool
    is_partition: bool
    is_child: bool
    has_children: bool
    may_alter: bool
    owner: str
    is_accelerated: bool
    has_our_triggers: bool
    key_column: str | None
    key_number: int | None
    key_type: str | None
    key_is_required: bool


@dataclass(frozen=True)
class Refusal:
    """Why a table is refused; `remedy` is what to do."""

    code: str
    applies: Callable[[TableFacts], bool]
    reason: str
    remedy: str


_KINDS = {"v": "a view", "m": "a materialised view", "f": "a foreign table", "S": "a sequence",
          "p": "a partitioned table", "i": "an index", "c": "a composite type",
          "t": "a TOAST table", "I": "an index"}  # fmt: skip
_CUTTABLE = "{" + ",".join(f'"{name}"' for name in KEY_TYPES) + "}"
_NOT_OURS = ("pg_catalog", "information_schema", "pg_toast", OWN_SCHEMA, TRACKING_SCHEMA)

# In the order in which they are looked at: the first that applies is said.
REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "system", lambda facts: facts.schema in _NOT_OURS,
        "it belongs to PostgreSQL or to Millrace, and triggers do not tell of all its changes",
        "Accelerate tables of your own.",
    ),
    Refusal(
        "partitioned", lambda facts: facts.kind == "p",
        "its rows lie in its partitions, and a statement on one of them fires no trigger of it",
        "Query it as it is: such queries are split on PostgreSQL.",
    ),
    Refusal(
        "kind", lambda facts: facts.kind != "r",
        "changes of what it shows fire no triggers of its own",
        "Accelerate the tables that it reads.",
    ),
    Refusal(
        "partition", lambda facts: facts.is_partition,
        "a statement on the table that it is a partition of fires none of its triggers",
        "Detach it (ALTER TABLE … DETACH PARTITION), or leave it as it is.",
    ),
    Refusal(
        "inheritance", lambda facts: facts.is_child or facts.has_children,
        "a statement on a parent changes its children without firing their triggers",
        "Remove the inheritance (ALTER TABLE … NO INHERIT).",
    ),
    Refusal(
        "temporary", lambda facts: facts.persistence == "t",
        "only one session sees it",
        "Make it an ordinary table.",
    ),
    Refusal(
        "unlogged", lambda facts: facts.persistence == "u",
        "a crash of PostgreSQL empties it without a trigger",
        "ALTER TABLE … SET LOGGED.",
    ),
    Refusal(
        "row-security", lambda facts: facts.has_row_security,
        "row-level security is on, so what it holds depends on who asks",
        "ALTER TABLE … DISABLE ROW LEVEL SECURITY, if everybody may read all of it.",
    ),
    Refusal(
        "owner", lambda facts: not facts.may_alter,
        "only its owner may have triggers fire always, and that is another role",
        "Make the user of DATABASE_URL its owner, or a member of the role that owns it.",
    ),
    Refusal(
        "accelerated", lambda facts: facts.is_accelerated,
        "it is accelerated already",
        "Remove the acceleration first, if it is to begin anew.",
    ),
    Refusal(
        "triggers", lambda facts: facts.has_our_triggers,
        "it has triggers whose names begin with millrace_, from a copy or a dump perhaps",
        "Drop or rename them (DROP TRIGGER … ON …).",
    ),
    Refusal(
        "no-key", lambda facts: facts.key_column is None,
        "it has neither a primary key nor another unique index",
        "Add one whose first column is a number, a date, a timestamp or a uuid.",
    ),
    Refusal(
        "null-key", lambda facts: not facts.key_is_required,
        "the first column of its unique index may be null, and such rows lie in no range of it",
        "ALTER TABLE … ALTER COLUMN … SET NOT NULL.",
    ),
    Refusal(
        "key-type", lambda facts: facts.key_type not in KEY_TYPES,
        "the first column of its key is of a type that has no order we could cut by",
        f"Add a unique index that begins with one of: {', '.join(KEY_TYPES)}.",
    ),
)  # fmt: skip


def table_facts(connection: Connection, schema: str, name: str) -> TableFacts:
    """Ask the catalog about a table.  Raises TableRefused where there is none of that name."""
    row = connection.execute(_FACTS, [schema, name, _CUTTABLE]).fetchone()
    if row is None:
        raise TableRefused("missing", f'There is no table "{schema}"."{name}".')
    flag = [value == "1" for value in row]
    return TableFacts(
        int(row[0] or 0), str(row[1]), str(row[2]), str(row[3]), str(row[4]),
        flag[5], flag[6], flag[7], flag[8], flag[9], str(row[10]), flag[11], flag[12],
        row[13], None if row[14] is None else int(row[14]), row[15], flag[16],
    )  # fmt: skip


def refusal_of(facts: TableFacts) -> Refusal | None:
    """Return why a table cannot be tracked; None if it can."""
    return next((refusal for refusal in REFUSALS if refusal.applies(facts)), None)


def refuse(facts: TableFacts) -> None:
    """Raise TableRefused, with the reason and what to do, if the table cannot be tracked."""
    refusal = refusal_of(facts)
    if refusal is not None:
        what = _KINDS.get(facts.kind)
        kind = f", {what}," if what else ""
        key = f" (here {facts.key_column}, {facts.key_type})" if facts.key_column else ""
        detail = key if refusal.code in {"null-key", "key-type"} else ""
        raise TableRefused(
            refusal.code,
            f'"{facts.schema}"."{facts.name}"{kind} cannot be accelerated: {refusal.reason}'
            f"{detail}. {refusal.remedy}",
        )

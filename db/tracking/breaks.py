"""Each way in which changes of a table could escape the log, and how it is noticed.

Code `problem`: what `millrace.tracking_problem` reports; the whole table steps aside.  `segments`:
the segments are dirty.  `log`: the log says so, by one of the triggers.  `lock`: it cannot happen
between the query's snapshot and its end, since the query holds the table's ACCESS SHARE lock.
The tests try every one against PostgreSQL.
"""

from dataclasses import dataclass
from typing import Literal

Problem = Literal[
    "not-accelerated", "gone", "renamed", "not-permanent", "row-security",
    "inheritance", "columns", "key", "triggers", "no-right",
]  # fmt: skip
Notice = Problem | Literal["segments", "log", "lock"]

PROBLEMS: dict[str, str] = {
    "not-accelerated": "the table is not accelerated",
    "gone": "the table was dropped",
    "renamed": "the table or its schema was renamed",
    "not-permanent": "it is no ordinary logged table any more",
    "row-security": "row-level security is on: who asks decides what is there",
    "inheritance": "it is, or has, a partition or an inheritance child",
    "columns": "a column was altered, added or dropped, or the table was attached somewhere",
    "key": "the unique index of its key was dropped",
    "triggers": "a trigger that tracks it was altered, disabled or dropped",
    "no-right": "this role may not read it",
}


@dataclass(frozen=True)
class Break:
    """One way; `seen_as` is what the clean check says of it, `why` how that comes about."""

    name: str
    seen_as: Notice
    why: str


_ATTRIBUTES = "the catalog rows of the columns were written by other transactions than then"
_TRIGGERS = "the catalog rows of the triggers were written by other transactions than then"
_FILE = "the table lies in another file than when the segment was read"
_REPLICA = "ENABLE ALWAYS triggers fire in every session_replication_role"
_VISIBLE = "the log row is written by the same transaction, and becomes visible with its changes"

BREAKS: tuple[Break, ...] = (
    Break("a trigger is disabled", "triggers", _TRIGGERS),
    Break("a trigger is disabled, and enabled again after a write", "triggers", _TRIGGERS),
    Break("a trigger fires for origin only", "triggers", _TRIGGERS),
    Break("a trigger is dropped", "triggers", _TRIGGERS),
    Break("a trigger is dropped and made again after a write", "triggers", _TRIGGERS),
    Break("a column is added", "columns", _ATTRIBUTES),
    Break("a column is dropped", "columns", _ATTRIBUTES),
    Break("a column is renamed", "columns", _ATTRIBUTES),
    Break("a column is renamed and named back", "columns", _ATTRIBUTES),
    Break("a column's type changes", "columns", _ATTRIBUTES),
    Break("a column's collation changes", "columns", _ATTRIBUTES),
    Break("the key's type changes", "columns", _ATTRIBUTES),
    Break("the key's name changes", "columns", _ATTRIBUTES),
    Break("a column is rewritten by ALTER TYPE with USING", "columns", _ATTRIBUTES),
    Break("the table is renamed", "renamed", "its name is compared"),
    Break("the table moves to another schema", "renamed", "its schema's name is compared"),
    Break("the schema is renamed", "renamed", "its schema's name is compared"),
    Break("the table is dropped", "gone", "its oid is looked up"),
    Break("another table takes its name", "not-accelerated", "tables are known by oid"),
    Break("the key's constraint is dropped", "key", "a valid unique index must lead with the key"),
    Break("row-level security is switched on", "row-security", "the flag is read"),
    Break("the table is attached as a partition", "inheritance", "pg_inherits is read"),
    Break("the table becomes a child", "inheritance", "pg_inherits is read"),
    Break("a child is made of the table", "inheritance", "pg_inherits is read"),
    Break("the table was a child for a while", "columns", _ATTRIBUTES),
    Break("the table was a partition for a while", "columns", _ATTRIBUTES),
    Break("the table becomes unlogged", "not-permanent", "its persistence is read"),
    Break("the table was unlogged for a while", "segments", _FILE),
    Break("VACUUM FULL", "segments", _FILE),
    Break("CLUSTER", "segments", _FILE),
    Break("the reader loses its right", "no-right", "rights are asked for, besides PostgreSQL's"),
    Break("TRUNCATE", "segments", "its trigger logs a change of anything, and " + _FILE),
    Break("TRUNCATE that is rolled back", "lock", "nothing of it remains"),
    Break("TRUNCATE after the query's snapshot", "lock", "it waits for the query's lock"),
    Break("TRUNCATE that the query waits for", "segments", "the snapshot is taken after the lock"),
    Break("ALTER TABLE after the query's snapshot", "lock", "it waits for the query's lock"),
    Break("session_replication_role = replica", "log", _REPLICA),
    Break("logical replication", "log", "a row trigger fires where rows are replicated"),
    Break("a savepoint is rolled back", "log", "its log rows go as its changes do"),
    Break("a prepared transaction", "log", _VISIBLE),
    Break("a transaction older than the segment", "log", _VISIBLE),
    Break("COPY", "log", "COPY fires the insert trigger"),
    Break("INSERT ON CONFLICT DO UPDATE", "log", "it fires both triggers"),
    Break("MERGE", "log", "it fires the trigger of each action"),
    Break("a key moves to another bucket", "log", "both sides of an update are logged"),
    Break("a writable common table expression", "log", "it fires triggers as any statement"),
    Break("a trigger or function of somebody's writes", "log", "so do theirs"),
    Break("a foreign key cascades", "log", "so do the statements of a foreign key"),
    Break("a rule rewrites the write", "log", "so does what a rule makes of a statement"),
    Break("a bucket is cut again under a writer", "log", "ids of buckets mean the same for ever"),
)

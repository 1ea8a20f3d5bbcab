"""Those who write to accelerated tables in every way that PostgreSQL has, mostly in small steps.

Each keeps for a while to a few keys of one table, so that some segments stay clean; what it takes
away it brings back from the copies of the tables as they were at first.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import psycopg

from tests.columnar.world import ACCELERATED, pristine

FOCUS_S = 3.0  # how long most writers keep to one table
PAUSE_S = 0.15
LOCK_TIMEOUT = "60ms"
MOST_ID = 2400
# tables that are emptied now and then; the large ones are rebuilt too slowly for that
EMPTIED = ("s", "nully", "one", "shrunk", "days", "moments", "things", "empty")
# how a key moves, and back
MOVES: Mapping[str, tuple[str, str]] = {
    "days": ("d = d + 400", "d = d - 400 WHERE d > '2025-01-01'"),
    "moments": (
        "tz = tz + interval '1 year'", "tz = tz - interval '1 year' WHERE tz > '2025-01-01'",
    ),
    "things": ("u = md5(u::text)::uuid", "num = num + 1 WHERE id < 3"),
}  # fmt: skip
NUMBERED = ("id = id + 5000", "id = id - 5000 WHERE id > 5000")
# by format_type: what a column may hold at its edges; some of it segments cannot hold
EDGES: Mapping[str, tuple[str, ...]] = {
    "smallint": ("-32768", "32767", "0", "NULL"), "integer": ("0", "-1", "2147483647", "NULL"),
    "bigint": ("9223372036854775807", "-9223372036854775808", "0", "NULL"),
    "numeric": ("0", "-1.50", "NULL"), "boolean": ("true", "false", "NULL"),
    "real": ("'-0'", "0", "1e-40", "'NaN'", "'Infinity'", "NULL"),
    "double precision": ("'-0'", "0", "0.1", "'NaN'", "'-Infinity'", "NULL"),
    "text": ("''", "' '", "'g1'", "E'a\\nb,\"'", "'é漢🙂'", "'%_'", "repeat('x', 300)", "NULL"),
    "date": ("'2024-02-29'", "'9999-12-31'", "'0001-01-01'", "'infinity'", "'0044-03-15 BC'",
             "NULL"),
    "timestamp without time zone": ("'2024-12-31 23:59:59.999999'", "'-infinity'", "NULL"),
    "timestamp with time zone": ("'2024-03-31 01:30+00'", "'infinity'", "NULL"),
    "uuid": ("'ffffffff-ffff-ffff-ffff-ffffffffffff'", "NULL"),
    "bytea": ("'\\x'", "'\\x00ff'", "NULL"),
}  # fmt: skip
_COLUMNS = """SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
 WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_KEYS = """SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
   AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = %s::regclass"""


class Writer:
    """One of them: a session, its own chance, until `is_over`."""

    def __init__(self, url: str, seed: int, is_over: threading.Event) -> None:
        self._url = url
        self._seed = seed
        self._random = random.Random(seed)
        self._is_over = is_over
        self._prepared = 0
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Write until it is over."""
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'".encode())
            self._read_tables(session)
            while not self._is_over.wait(PAUSE_S * 2 * self._random.random()):
                try:
                    self._transaction(session)
                except psycopg.OperationalError:  # deadlocks and time limits of locks among them
                    self.done["given up"] += 1
                    session.execute("ROLLBACK")
                except psycopg.Error as error:
                    self.done[type(error).__name__] += 1
                    session.execute("ROLLBACK")

    def _read_tables(self, session: psycopg.Connection) -> None:
        self._columns: dict[str, dict[str, str]] = {}
        self._keys: dict[str, list[str]] = {}
        for table in ACCELERATED:
            self._columns[table] = dict(session.execute(_COLUMNS, [table]).fetchall())
            self._keys[table] = [str(name) for (name,) in session.execute(_KEYS, [table])]

    def _table(self) -> str:
        focus = ACCELERATED[int(time.time() / FOCUS_S) % len(ACCELERATED)]
        return focus if self._random.random() < 0.92 else self._random.choice(ACCELERATED)

    def _ids(self) -> str:
        """Return a few neighbouring ids as a condition, often the same ones."""
        first = int(MOST_ID * self._random.random() ** 2)
        return f"id BETWEEN {first} AND {first + self._random.choice((0, 0, 4, 12))}"

    def _missing(self, table: str, most: int) -> str:
        """Return the query of some neighbouring rows that a table had at first."""
        return (
            f"SELECT p.* FROM {pristine(table)} AS p LEFT JOIN {table} AS n ON n.id = p.id "
            f"WHERE n.id IS NULL AND p.id >= {self._random.randint(0, 700)} "
            f"ORDER BY p.id LIMIT {most}"
        )

    def _transaction(self, session: psycopg.Connection) -> None:
        table = self._table()
        if self._random.random() < 0.3:
            self._change(session, table)
            return
        session.execute("BEGIN")
        if self._random.random() < 0.03:
            session.execute("SET LOCAL session_replication_role = replica")
        for _ in range(self._random.randint(1, 3)):
            is_taken_back = self._random.random() < 0.3
            session.execute("SAVEPOINT a")
            self._change(session, table)
            if is_taken_back:
                session.execute("ROLLBACK TO SAVEPOINT a")
                self.done["savepoint"] += 1
        self._end(session)

    def _end(self, session: psycopg.Connection) -> None:
        roll = self._random.random()
        if roll < 0.15:
            session.execute("ROLLBACK")
            self.done["rollback"] += 1
        elif roll < 0.25:
            self._prepared += 1
            name = f"prepared {self._seed} {self._prepared}"
            session.execute(f"PREPARE TRANSACTION '{name}'".encode())
            self._is_over.wait(self._random.random() * 0.5)
            way = "ROLLBACK" if self._random.random() < 0.3 else "COMMIT"
            session.execute(f"{way} PREPARED '{name}'".encode())
            self.done["prepared"] += 1
        else:
            session.execute("COMMIT")
            self.done["commit"] += 1

    def _change(self, session: psycopg.Connection, table: str) -> None:
        ways: dict[Callable[[psycopg.Connection, str], None], int] = {
            self._edge: 5, self._update: 5, self._delete: 4, self._insert: 8, self._upsert: 4,
            self._merge: 4, self._move: 3, self._copy: 4, self._empty: 1,
        }  # fmt: skip
        (way,) = self._random.choices(list(ways), list(ways.values()))
        way(session, table)
        self.done[way.__name__.strip("_")] += 1

    def _edge(self, session: psycopg.Connection, table: str) -> None:
        known = [
            (column, EDGES[kind])
            for column, kind in self._columns[table].items()
            if kind in EDGES and column not in self._keys[table] and column != "id"
        ]
        column, values = self._random.choice(known)
        value = self._random.choice(values)
        session.execute(f"UPDATE {table} SET {column} = {value} WHERE {self._ids()}".encode())

    def _update(self, session: psycopg.Connection, table: str) -> None:
        plain = [one for one in self._columns[table] if one not in (*self._keys[table], "id")]
        names = ", ".join(self._random.sample(plain, min(len(plain), 3)))
        session.execute(
            f"UPDATE {table} SET ({names}) = (SELECT {names} FROM {pristine(table)} AS p "
            f"WHERE p.id = {self._random.randint(1, 700)} LIMIT 1) WHERE {self._ids()}".encode()
        )

    def _delete(self, session: psycopg.Connection, table: str) -> None:
        session.execute(f"DELETE FROM {table} WHERE {self._ids()}".encode())

    def _insert(self, session: psycopg.Connection, table: str) -> None:
        session.execute(
            f"INSERT INTO {table} {self._missing(table, 30)} ON CONFLICT DO NOTHING".encode()
        )

    def _upsert(self, session: psycopg.Connection, table: str) -> None:
        plain = [one for one in self._columns[table] if one not in self._keys[table]]
        sets = ", ".join(f"{one} = EXCLUDED.{one}" for one in plain)
        session.execute(
            f"INSERT INTO {table} SELECT * FROM {pristine(table)} AS p WHERE {self._ids()} "
            f"ON CONFLICT ({', '.join(self._keys[table])}) DO UPDATE SET {sets}".encode()
        )

    def _merge(self, session: psycopg.Connection, table: str) -> None:
        plain = [one for one in self._columns[table] if one not in self._keys[table]]
        matched = " AND ".join(f"n.{one} = p.{one}" for one in self._keys[table])
        sets = ", ".join(f"{one} = p.{one}" for one in plain)
        values = ", ".join(f"p.{one}" for one in self._columns[table])
        session.execute(
            f"MERGE INTO {table} AS n USING (SELECT * FROM {pristine(table)} WHERE {self._ids()}) "
            f"AS p ON {matched} WHEN MATCHED AND p.id % 5 = 0 THEN DELETE "
            f"WHEN MATCHED THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED THEN INSERT VALUES ({values})".encode()
        )

    def _move(self, session: psycopg.Connection, table: str) -> None:
        there, back = MOVES.get(table, NUMBERED)
        is_back = self._random.random() < 0.6
        sql = f"{back}" if is_back else f"{there} WHERE {self._ids()}"
        session.execute(f"UPDATE {table} SET {sql}".encode())

    def _copy(self, session: psycopg.Connection, table: str) -> None:
        with session.cursor() as cursor:
            with cursor.copy(f"COPY ({self._missing(table, 60)}) TO STDOUT".encode()) as copy:
                content = b"".join(bytes(piece) for piece in copy)
            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                copy.write(content)

    def _empty(self, session: psycopg.Connection, table: str) -> None:
        """Truncate a table and fill it again, in one transaction if there is one."""
        if table not in EMPTIED:
            return
        session.execute(f"TRUNCATE {table}".encode())
        with session.cursor() as cursor:
            with cursor.copy(f"COPY {pristine(table)} TO STDOUT".encode()) as copy:
                content = b"".join(bytes(piece) for piece in copy)
            # FREEZE is for a table that was emptied in the same transaction
            with suppress(psycopg.errors.ObjectNotInPrerequisiteState):
                with cursor.copy(f"COPY {table} FROM STDIN (FREEZE)".encode()) as copy:
                    copy.write(content)
                return
        session.execute(f"INSERT INTO {table} SELECT * FROM {pristine(table)}".encode())

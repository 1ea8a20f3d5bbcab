"""At random: whatever is called clean holds the very rows that the reader's snapshot has."""

import random
import secrets
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from db.pool import Connection
from db.tracking.buckets import Bucket, Cut
from db.tracking.clean_check import begin_checked
from db.tracking.installation import cut_anew
from db.tracking.segments import Contents, abandon, mark_broken, publish, register
from db.tracking.tracked_table import current_buckets
from db.tracking.trimming import trim
from tests.integration.tracking.conftest import World

Row = tuple[Any, ...]
_STEPS = 400
_WRITES = (
    "INSERT INTO items SELECT {n}, 'new' WHERE NOT EXISTS (SELECT FROM items WHERE id = {n})",
    "UPDATE items SET amount = {m} WHERE id = {n}",
    "UPDATE items SET amount = {m} WHERE id BETWEEN {n} AND {n} + 60",
    "DELETE FROM items WHERE id = {n}",
    "INSERT INTO items VALUES ({n}) ON CONFLICT (id) DO UPDATE SET amount = {m}",
    "UPDATE items SET id = {n} + 1100 WHERE id = {n} AND id < 1000",
    "SAVEPOINT a",
    "ROLLBACK TO SAVEPOINT a",
    "RELEASE SAVEPOINT a",
)


class Play:
    """Writers, copies, cuts and readers, each a session of its own, moved one step at a time."""

    def __init__(self, world: World, seed: int, stack: ExitStack) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.stack = stack
        self.owner: Connection = stack.enter_context(world.own.connection())
        self.writers = [stack.enter_context(world.session()) for _ in range(3)]
        for writer in self.writers:
            writer.execute("SET lock_timeout = '5ms'")
        self.idle = [stack.enter_context(world.reader.connection()) for _ in range(3)]
        for reader in self.idle:
            reader.execute("SET lock_timeout = '5ms'")
        self.readers: list[Connection] = []
        self.contents: dict[int, tuple[Bucket, set[Row]]] = {}
        self.unfinished: list[tuple[int, Bucket]] = []
        self.compared = 0
        self.trimmed = 0

    def write(self) -> None:
        writer = self.chance.choice(self.writers)
        with suppress(psycopg.Error):
            if writer.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                level = self.chance.choice(["READ COMMITTED", "REPEATABLE READ"])
                writer.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
            elif self.chance.random() < 0.3:
                writer.execute(self.chance.choice(["COMMIT", "COMMIT", "ROLLBACK"]))
            else:
                statement = self.chance.choice(_WRITES)
                values = {"n": self.chance.randrange(1000), "m": self.chance.randrange(1000)}
                if self.chance.random() < 0.02:
                    statement = "TRUNCATE items"
                writer.execute(statement.format(**values).encode())
            return
        if writer.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
            writer.execute("ROLLBACK")

    def copy(self) -> None:
        """Register a copy, or read and publish one that was registered some steps ago."""
        if not self.unfinished or len(self.unfinished) < self.chance.randrange(3):
            buckets = current_buckets(self.owner, self.world.table.id)
            bucket = self.chance.choice(buckets)
            segment = register(self.owner, bucket, secrets.token_hex(8))
            self.unfinished.append((segment, bucket))
            return
        segment, bucket = self.unfinished.pop(self.chance.randrange(len(self.unfinished)))
        try:
            with self.owner.transaction():
                self.owner.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                self.owner.execute("SET LOCAL lock_timeout = '5ms'")
                self.owner.execute("LOCK TABLE public.items IN ACCESS SHARE MODE")
                (row,) = self.owner.execute(
                    "SELECT pg_current_snapshot()::text, relfilenode FROM pg_class "
                    "WHERE oid = $1::oid", [str(self.world.table.oid)],
                ).fetchall()  # fmt: skip
                rows = self.rows(self.owner, bucket)
        except psycopg.errors.LockNotAvailable:
            abandon(self.owner, segment)
            return
        contents = Contents(str(row[0]), int(str(row[1])), len(rows), 1, "00", {}, {})
        self.contents[segment] = (bucket, rows)
        assert publish(self.owner, segment, contents)

    def cut(self) -> None:
        buckets = current_buckets(self.owner, self.world.table.id)
        place = self.chance.randrange(len(buckets))
        if len(buckets) > 3 and self.chance.random() < 0.6:
            cut_anew(self.owner, self.world.table.oid, buckets[place : place + 2], [])
            return
        lower, upper = buckets[place].range.lower, buckets[place].range.upper
        least, most = (lower.rank if lower else -100), (upper.rank if upper else 2200)
        if most - least > 2:
            middle = self.chance.randrange(least + 1, most)
            cut_anew(self.owner, self.world.table.oid, [buckets[place]], [Cut(str(middle), middle)])

    def look_after(self) -> None:
        self.trimmed += trim(self.owner, self.world.table.oid)
        if self.contents and self.chance.random() < 0.1:
            mark_broken(self.owner, self.chance.choice(list(self.contents)), "tried")

    def read(self) -> None:
        """Begin to read, or look again in a snapshot that was taken some steps ago."""
        if self.idle:
            reader = self.idle.pop()
            try:
                begin_checked(reader, [(self.world.table.oid, "public", "items")])
            except psycopg.errors.LockNotAvailable:
                reader.execute("ROLLBACK")
                self.idle.append(reader)
                return
            self.readers.append(reader)
        reader = self.chance.choice(self.readers)
        ((problem, clean),) = reader.execute(
            "SELECT problem, array_to_string(clean, ' ') "
            "FROM millrace_tracking.check_segments(ARRAY[$1::oid])", [str(self.world.table.oid)],
        ).fetchall()  # fmt: skip
        assert problem is None
        for segment in map(int, str(clean).split()):
            bucket, rows = self.contents[segment]
            assert self.rows(reader, bucket) == rows
            self.compared += 1
        if self.chance.random() < 0.4:
            self.readers.remove(reader)
            self.idle.append(reader)
            reader.execute("ROLLBACK")

    @staticmethod
    def rows(connection: Connection, bucket: Bucket) -> set[Row]:
        lower, upper = bucket.range.lower, bucket.range.upper
        return set(
            connection.execute(
                "SELECT * FROM public.items WHERE ($1::int IS NULL OR id >= $1::int) "
                "AND ($2::int IS NULL OR id < $2::int)",
                [lower.key if lower else None, upper.key if upper else None],
            ).fetchall()
        )


@pytest.mark.parametrize("seed", range(3))
def test_what_is_clean_is_what_postgresql_has(bare: World, seed: int) -> None:
    with bare.own.connection() as owner:
        cuts = [Cut("300", 300), Cut("600", 600)]
        bare.table = bare.installation.install(owner, "public", "items", cuts)
    with ExitStack() as stack:
        play = Play(bare, seed, stack)
        moves = [play.write] * 8 + [play.copy] * 6 + [play.read] * 5 + [play.look_after] * 2
        moves.append(play.cut)
        for _ in range(_STEPS):
            play.chance.choice(moves)()
        for writer in play.writers:
            writer.execute("ROLLBACK")
    assert play.compared > 20
    assert play.trimmed > 5

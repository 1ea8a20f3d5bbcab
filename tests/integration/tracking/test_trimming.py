"""The log is trimmed of what says nothing, and of nothing else."""

import secrets

from db.pool import Connection
from db.tracking.buckets import Bucket, Cut
from db.tracking.installation import cut_anew
from db.tracking.segments import Contents, publish, register
from db.tracking.trimming import trim
from tests.integration.tracking.conftest import World

_MOMENT = """SELECT pg_current_snapshot()::text, relfilenode FROM pg_class
 WHERE oid = $1::oid"""


def moment(world: World, owner: Connection) -> Contents:
    """Contents as of now."""
    row = owner.execute(_MOMENT, [str(world.table.oid)]).fetchone()
    assert row is not None
    return Contents(str(row[0]), int(str(row[1])), 1, 1, "00", {}, {})


def registered(owner: Connection, bucket: Bucket) -> int:
    return register(owner, bucket, secrets.token_hex(8))


def logged(world: World) -> int:
    with world.session() as session:
        row = session.execute("SELECT count(*) FROM millrace.table_changes").fetchone()
    return int(row[0]) if row else 0


def trimmed(world: World) -> int:
    with world.own.connection() as owner:
        return trim(owner, world.table.oid)


def test_what_all_copies_have_seen_goes(world: World) -> None:
    world.run("UPDATE items SET amount = 0 WHERE id = 1")
    assert trimmed(world) == 0
    world.segments[0] = world.copy(world.buckets[0])
    assert trimmed(world) == 1
    assert logged(world) == 0


def test_of_changes_that_no_copy_has_seen_one_stays(world: World) -> None:
    for _ in range(5):
        world.run("UPDATE items SET amount = 0 WHERE id IN (1, 300)")
    assert trimmed(world) == 8
    assert world.dirty() == {0, 1}


def test_an_older_snapshot_misses_nothing_that_was_trimmed(world: World) -> None:
    world.run("UPDATE items SET amount = 0 WHERE id = 1")
    with world.reading() as (connection, state):
        assert state.dirty == {world.segments[0]}
        world.copy(world.buckets[0])
        assert trimmed(world) == 1
        rows = connection.execute(
            "SELECT array_to_string(dirty, ' ') "
            "FROM millrace_tracking.check_segments(ARRAY[$1::oid])", [str(world.table.oid)],
        ).fetchall()  # fmt: skip
        assert rows == [(str(world.segments[0]),)]


def test_a_copy_in_the_making_keeps_what_it_may_not_see(world: World) -> None:
    with world.own.connection() as owner, world.session() as writer:
        owner.execute("UPDATE millrace.segments SET state = 'retired', ended_at = now()")
        segment = registered(owner, world.buckets[0])
        writer.execute("BEGIN")
        writer.execute("UPDATE public.items SET amount = 0 WHERE id = 1")
        contents = moment(world, owner)
        writer.execute("COMMIT")
        assert trimmed(world) == 0
        assert publish(owner, segment, contents)
    world.segments = {0: segment}
    assert world.dirty() == {0}


def test_a_repeated_change_stays_while_a_copy_may_have_seen_the_first(world: World) -> None:
    with world.own.connection() as owner:
        segment = registered(owner, world.buckets[0])
        world.run("UPDATE items SET amount = 0 WHERE id = 1")
        contents = moment(world, owner)
        world.run("UPDATE items SET amount = 1 WHERE id = 1")
        trimmed(world)
        assert publish(owner, segment, contents)
    world.segments[0] = segment
    assert world.dirty() == {0}


def test_a_repeated_change_stays_while_one_copy_has_seen_the_first(world: World) -> None:
    merged = world.buckets[:2]
    with world.own.connection() as owner:
        (wide,) = cut_anew(owner, world.table.oid, merged, [])
        world.run("UPDATE items SET amount = 0 WHERE id = 1")  # logged as of the wide bucket
        halves = cut_anew(owner, world.table.oid, [wide], [Cut("250", 250)])
        first = world.copy(halves[0])
        cut_anew(owner, world.table.oid, halves, [])
    world.segments[0] = first
    assert world.dirty() == {1}  # the second has not seen what may have been its range
    with world.session() as session:
        session.execute(
            "INSERT INTO millrace.table_changes VALUES (%s, %s, pg_current_xact_id())",
            [world.table.id, wide.id],
        )
    trimmed(world)
    assert world.dirty() == {0, 1}


def test_changes_of_buckets_without_a_copy_go_at_once(world: World) -> None:
    with world.own.connection() as owner:
        owner.execute(
            "UPDATE millrace.segments SET state = 'broken', ended_at = now() "
            "WHERE bucket = $1::int",
            [str(world.buckets[3].id)],
        )
    world.run("INSERT INTO items VALUES (2000)")
    assert trimmed(world) == 1

"""Breaks that depend on what happens when: between snapshots, locks, commits and cuts."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import errors

from db.tracking.buckets import Cut
from db.tracking.clean_check import begin_checked
from db.tracking.installation import cut_anew
from db.tracking.tracked_table import current_buckets
from tests.integration.tracking.conftest import World

Eventually = Callable[[Callable[[], bool]], None]


def waits_for_lock(world: World) -> bool:
    """Whether some session waits for a lock on the table."""
    with world.session() as session:
        row = session.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s", [world.table.oid]
        ).fetchone()
    return bool(row and row[0])


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def is_active(session: psycopg.Connection, slot: str) -> bool:
    """Whether some session sends what a replication slot holds."""
    row = session.execute(
        "SELECT active FROM pg_replication_slots WHERE slot_name = %s", [slot]
    ).fetchone()
    return bool(row and row[0])


def count(connection: Any) -> int:
    row = connection.execute("SELECT count(*) FROM items").fetchone()
    return int(row[0])


def test_truncate_and_alter_table_wait_until_the_query_is_over(
    world: World, eventually: Eventually
) -> None:
    for statement in ("TRUNCATE items", "ALTER TABLE items ADD COLUMN more int"):
        with world.reading() as (connection, state):
            assert state.clean == set(world.segments.values())
            writer = in_thread(partial(world.run, statement))
            eventually(lambda: waits_for_lock(world))
            assert count(connection) in {1000, 0}
            before = count(connection)
        writer.join(30)
        if statement.startswith("TRUNCATE"):
            assert before == 1000
            assert world.dirty() == {0, 1, 2, 3}
            for place, bucket in enumerate(world.buckets):
                world.segments[place] = world.copy(bucket)
    assert world.problem() == "columns"


def test_a_query_that_waits_for_a_truncate_sees_it_in_the_check(
    world: World, eventually: Eventually
) -> None:
    seen: list[tuple[bool, int]] = []

    def query() -> None:
        with world.reading() as (connection, state):
            seen.append((state.dirty == set(world.segments.values()), count(connection)))

    with world.session() as session:
        session.execute("BEGIN")
        session.execute("TRUNCATE items")
        reader = in_thread(query)
        eventually(lambda: waits_for_lock(world))
        session.execute("COMMIT")
        reader.join(30)
    assert seen == [(True, 0)]


def test_a_truncate_that_is_rolled_back_leaves_all_clean(world: World) -> None:
    world.run("BEGIN", "TRUNCATE items", "ROLLBACK")
    assert world.dirty() == set()


def test_a_change_counts_from_its_commit_on_and_not_for_older_snapshots(world: World) -> None:
    with world.session() as session:
        session.execute("BEGIN")
        session.execute("UPDATE items SET amount = 0 WHERE id = 1")
        assert world.dirty() == set()
        with world.reading() as (connection, _):
            session.execute("COMMIT")
            (again,) = connection.execute(
                "SELECT array_length(clean, 1) "
                "FROM millrace_tracking.check_segments(ARRAY[$1::oid])",
                [str(world.table.oid)],
            ).fetchall()
            assert again == ("4",)
    assert world.dirty() == {0}


def test_a_transaction_older_than_the_segment_makes_it_dirty(world: World) -> None:
    with world.session() as session:
        session.execute("BEGIN")
        session.execute("UPDATE items SET amount = 0 WHERE id = 1")
        session.execute("SAVEPOINT a")
        session.execute("UPDATE items SET amount = 0 WHERE id = 300")
        for place in (0, 1):
            world.segments[place] = world.copy(world.buckets[place])
        assert world.dirty() == set()
        session.execute("COMMIT")
    assert world.dirty() == {0, 1}
    world.segments[0] = world.copy(world.buckets[0])
    assert world.dirty() == {1}


def test_a_prepared_transaction_makes_segments_dirty_when_it_commits(world: World) -> None:
    with world.session() as session:
        session.execute("BEGIN")
        session.execute("DELETE FROM items WHERE id = 1")
        session.execute(f"PREPARE TRANSACTION 'one {world.table.oid}'".encode())
        world.segments[0] = world.copy(world.buckets[0])
        assert world.dirty() == set()
        session.execute(f"COMMIT PREPARED 'one {world.table.oid}'".encode())
        assert world.dirty() == {0}
        session.execute("BEGIN")
        session.execute("DELETE FROM items WHERE id = 600")
        session.execute(f"PREPARE TRANSACTION 'two {world.table.oid}'".encode())
        session.execute(f"ROLLBACK PREPARED 'two {world.table.oid}'".encode())
    assert world.dirty() == {0}


def test_a_writer_under_the_old_cut_dirties_what_it_changed(world: World) -> None:
    with world.session() as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session.execute("UPDATE items SET amount = 1 WHERE id = 1")  # has the function at hand
        session.execute("UPDATE items SET amount = 0 WHERE id = 980")
        with world.own.connection() as owner:
            tail = cut_anew(
                owner, world.table.oid, world.buckets[-1:], [Cut("900", 900), Cut("950", 950)]
            )
        del world.segments[3]
        for place, bucket in enumerate(tail, 3):
            world.segments[place] = world.copy(bucket)
        assert world.dirty() == set()
        session.execute("UPDATE items SET amount = 0 WHERE id = 920")
        session.execute("COMMIT")
    # 980 was logged as of the old tail, which overlaps all that it was cut into
    assert world.dirty() == {0, 3, 4, 5}
    for place, bucket in enumerate(tail, 3):
        world.segments[place] = world.copy(bucket)
    world.run("UPDATE items SET amount = 0 WHERE id = 920")
    assert world.dirty() == {0, 4}


def test_segments_of_old_buckets_stay_clean_and_notice_writes_under_the_new_cut(
    world: World,
) -> None:
    with world.own.connection() as owner:
        merged = cut_anew(owner, world.table.oid, world.buckets[:2], [])
        assert [bucket.id for bucket in current_buckets(owner, world.table.id)] == [
            merged[0].id, world.buckets[2].id, world.buckets[3].id,
        ]  # fmt: skip
    assert world.dirty() == set()
    world.run("UPDATE items SET amount = 0 WHERE id = 300")
    assert world.dirty() == {0, 1}
    world.segments = {0: world.copy(merged[0]), 2: world.segments[2], 3: world.segments[3]}
    assert world.dirty() == set()


def test_a_bucket_that_nobody_knows_makes_everything_dirty(world: World) -> None:
    world.run(
        "INSERT INTO millrace.table_changes SELECT max(id), 123456, pg_current_xact_id() "
        "FROM millrace.accelerated_tables"
    )
    assert world.dirty() == {0, 1, 2, 3}


def test_rows_of_logical_replication_are_logged(world: World, eventually: Eventually) -> None:
    name = world.url.split("/")[3].split("?", maxsplit=1)[0]
    source = f"{name}_source"
    with world.session() as session:
        session.execute(f'CREATE DATABASE "{source}"'.encode())
        source_url = world.url.replace(f"/{name}?", f"/{source}?")
        with psycopg.connect(source_url, autocommit=True) as there:
            there.execute(
                'CREATE TABLE items (id int PRIMARY KEY, label text COLLATE "C", '
                "amount numeric(12,2))"
            )
            there.execute("INSERT INTO items SELECT n FROM generate_series(1, 1000) AS n")
            there.execute("CREATE PUBLICATION p FOR TABLE items")
            slot = source
            there.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
            host = session.info.host
            session.execute(
                f"CREATE SUBSCRIPTION s CONNECTION 'host={host} dbname={source} user=millrace' "
                f"PUBLICATION p WITH (create_slot = false, slot_name = '{slot}', "
                "copy_data = false)".encode()
            )
            try:
                there.execute("DELETE FROM items WHERE id = 1")
                eventually(lambda: world.dirty() == {0})
                there.execute("UPDATE items SET id = 2000 WHERE id = 300")
                eventually(lambda: world.dirty() == {0, 1, 3})
                there.execute("TRUNCATE items")
                eventually(lambda: world.dirty() == {0, 1, 2, 3})
            finally:
                session.execute("ALTER SUBSCRIPTION s DISABLE")
                session.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
                session.execute("DROP SUBSCRIPTION s")
        # the database cannot be dropped before its sender has noticed that nobody listens
        eventually(lambda: not is_active(session, slot))
        session.execute(f'DROP DATABASE "{source}" WITH (FORCE)'.encode())


def test_no_other_role_writes_the_log_or_calls_what_does(world: World, role: str) -> None:
    world.run(
        f"CREATE ROLE {role}",
        f"GRANT ALL ON items TO {role}",
        f"GRANT ALL ON SCHEMA public TO {role}",
    )
    function = f"millrace.track_{world.table.id}()"
    with world.session() as session:
        session.execute(f"SET ROLE {role}".encode())
        for statement in (
            f"INSERT INTO millrace.table_changes VALUES ({world.table.id}, 1, '1')",
            "DELETE FROM millrace.table_changes",
            "SELECT * FROM millrace.segments",
            "UPDATE millrace.segments SET state = 'ready'",
            f"SELECT * FROM millrace_tracking.check_segments('{{{world.table.oid}}}')",
            "ALTER TABLE items DISABLE TRIGGER millrace_update",
            "SET session_replication_role = replica",
            "CREATE TABLE mine (id int); CREATE TRIGGER t AFTER INSERT ON mine REFERENCING "
            f"NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                session.execute(statement.encode())
        # and its writes are logged though it may not write the log, whatever it calls its own
        session.execute("CREATE TEMP TABLE new_rows (id int)")
        session.execute(
            "CREATE TEMP TABLE table_changes (accelerated int, bucket bigint, xid xid8)"
        )
        session.execute("SET search_path = pg_temp, public")
        session.execute("INSERT INTO items VALUES (2000)")
    assert world.dirty() == {3}
    world.run(f"DROP OWNED BY {role}")


def test_the_reader_may_ask_for_clean_segments_and_see_nothing_else(world: World) -> None:
    for statement in (
        "SELECT * FROM millrace.segments", "SELECT * FROM millrace.table_changes",
        "SELECT millrace.columns_now(0)", "SELECT millrace.tracking_problem(0)",
    ):  # fmt: skip
        with (
            world.reader.connection() as connection,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())
    with world.reader.connection() as connection:
        states = begin_checked(connection, [(world.table.oid, "public", "items")])
        assert states[world.table.oid].clean == set(world.segments.values())

"""Each way in which changes could escape the log is noticed: by the check, or since it waits."""

from collections.abc import Callable

import pytest

from db.tracking.breaks import BREAKS, PROBLEMS
from tests.integration.tracking.conftest import World
from tests.integration.tracking.ways import LOGGED, REWRITES, STATEMENTS

_EVERYTHING = {0, 1, 2, 3}
# Those that take more than statements are in the test named so, here or in test_moments.py.
ELSEWHERE = {
    "TRUNCATE that is rolled back", "TRUNCATE after the query's snapshot",
    "TRUNCATE that the query waits for", "ALTER TABLE after the query's snapshot",
    "logical replication", "a prepared transaction", "a transaction older than the segment",
    "COPY", "a foreign key cascades", "a bucket is cut again under a writer",
}  # fmt: skip
_BY_NAME = {one.name: one for one in BREAKS}


def test_every_known_break_is_tried() -> None:
    assert set(STATEMENTS) | set(REWRITES) | set(LOGGED) | ELSEWHERE == set(_BY_NAME)
    assert len(_BY_NAME) == len(BREAKS)


def test_nothing_is_dirty_while_nothing_changes(world: World) -> None:
    world.run("ANALYZE items", "VACUUM items", "CREATE INDEX ON items (label)")
    world.run("COMMENT ON COLUMN items.label IS 'seen'", "REINDEX TABLE CONCURRENTLY items")
    world.run("GRANT SELECT ON items TO PUBLIC", "ALTER TABLE items SET (fillfactor = 90)")
    assert world.dirty() == set()


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_table_steps_aside_when(world: World, name: str) -> None:
    world.run(*STATEMENTS[name])
    seen_as = _BY_NAME[name].seen_as
    if name == "another table takes its name":
        assert world.problem() == "renamed"
        with world.own.connection() as owner:
            row = owner.execute("SELECT 'public.items'::regclass::oid").fetchone()
        assert row is not None
        with world.reader.connection() as connection:
            (state,) = connection.execute(
                "SELECT problem FROM millrace_tracking.check_segments(ARRAY[$1::oid])", [row[0]]
            ).fetchall()
        assert state[0] == seen_as
    else:
        assert world.problem() == seen_as
        assert seen_as in PROBLEMS


@pytest.mark.parametrize("name", REWRITES)
def test_all_segments_are_dirty_after(world: World, name: str) -> None:
    world.run(*REWRITES[name])
    assert _BY_NAME[name].seen_as == "segments"
    assert world.dirty() == _EVERYTHING


@pytest.mark.parametrize("name", LOGGED)
def test_the_log_tells_of(world: World, name: str) -> None:
    statements, dirty = LOGGED[name]
    world.run(*statements)
    assert _BY_NAME[name].seen_as == "log"
    assert world.dirty() == dirty


def test_a_foreign_key_that_cascades_is_logged(
    bare: World, make_table: Callable[[str], None]
) -> None:
    make_table(
        "CREATE TABLE owners (n int PRIMARY KEY); INSERT INTO owners VALUES (1), (2), (3);"
        "ALTER TABLE items ADD COLUMN a int REFERENCES owners ON DELETE CASCADE,"
        " ADD COLUMN b int REFERENCES owners ON DELETE SET NULL ON UPDATE CASCADE;"
        "UPDATE items SET a = 1 WHERE id = 1; UPDATE items SET b = 2 WHERE id = 300;"
        "UPDATE items SET b = 3 WHERE id = 600"
    )
    bare.track()
    bare.run("DELETE FROM owners WHERE n = 1")
    assert bare.dirty() == {0}
    bare.run("DELETE FROM owners WHERE n = 2")
    assert bare.dirty() == {0, 1}
    bare.run("UPDATE owners SET n = 4 WHERE n = 3")
    assert bare.dirty() == {0, 1, 2}


def test_copy_is_logged(world: World) -> None:
    with world.session() as session, session.cursor() as cursor:
        with cursor.copy("COPY items FROM STDIN") as copy:
            copy.write_row((-5, "new", 1))
            copy.write_row((2000, "new", 1))
        assert world.dirty() == {0, 3}


def test_a_write_goes_on_when_its_bucket_cannot_be_told(world: World) -> None:
    world.run(
        "ALTER TABLE items RENAME COLUMN id TO number", "UPDATE items SET amount = 0",
        "INSERT INTO items VALUES (3000)", "DELETE FROM items WHERE number = 1",
    )  # fmt: skip
    with world.session() as session:
        logged = session.execute("SELECT bucket FROM millrace.table_changes").fetchall()
    assert logged == [(None,), (None,), (None,)]
    world.run("ALTER TABLE items RENAME COLUMN number TO id")
    assert world.problem() == "columns"

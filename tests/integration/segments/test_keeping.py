"""Segments are built, refreshed, cut anew, repaired and removed, whatever happens in between."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from db.tracking.errors import NotTracked
from db.tracking.installation import Installation
from db.tracking.tracked_table import current_buckets
from segments.acceleration import accelerate
from segments.clean_up import clean_up
from segments.errors import FolderFull, Interrupted, RowTooLarge, SegmentDamaged, TableUntracked
from segments.folder import SegmentFolder
from segments.keeper import Keeper
from segments.reports import Built
from segments.settings import SegmentSettings
from tests.integration.segments.conftest import Stand
from tests.integration.segments.keepers import eventually

_FILL = "INSERT INTO t (id, s) SELECT n, md5(n::text) FROM generate_series({}, {}) AS n"


class Kept:
    """A stand whose segments are looked after, in buckets of a hundred rows."""

    def __init__(self, stand: Stand, folder: Path) -> None:
        self.stand = stand
        self.settings = SegmentSettings(
            folder=folder, bucket_rows=100, refresh_age_s=0, grace_s=0.001
        )
        stand.run(_FILL.format(1, 1000))
        stand.table = accelerate(
            stand.owner, stand.reader, Installation(), self.settings, ("public", "t")
        )
        self.keeper = Keeper(stand.owner, stand.reader, stand.folder, self.settings, stand.format)

    def check(self) -> int:
        """Compare all clean segments with the table, which they have to cover; return how many."""
        state = self.stand.state()
        assert state.problem is None
        assert not state.dirty
        found = [
            (row["id"], row["s"])
            for segment in self.stand.segments()
            if segment.id in state.clean
            for row in self.stand.rows_of(segment)
        ]
        with self.stand.reader.connection() as reader:
            wanted = reader.execute("SELECT id, s FROM public.t ORDER BY id").fetchall()
        assert sorted(found) == [(int(str(number)), text) for number, text in wanted]
        return len(state.clean)

    def files(self) -> set[str]:
        return {name for name, _, _ in self.stand.folder.files()}


@pytest.fixture
def kept(stand: Stand) -> Kept:
    return Kept(stand, stand.root)


def test_all_buckets_are_copied_and_only_dirty_ones_again(kept: Kept) -> None:
    assert kept.keeper.keep(kept.stand.table).built == 11
    assert kept.check() == 11
    assert kept.keeper.keep(kept.stand.table).built == 0
    kept.stand.run("UPDATE t SET s = 'new' WHERE id IN (150, 550)", "DELETE FROM t WHERE id = 1")
    assert len(kept.stand.state().dirty) == 3
    done = kept.keeper.keep(kept.stand.table)
    assert (done.built, done.cut, done.damaged) == (3, 0, 0)
    assert kept.check() == 11


def test_a_tail_that_has_grown_is_cut_and_small_neighbours_become_one(kept: Kept) -> None:
    kept.keeper.keep(kept.stand.table)
    kept.stand.run(_FILL.format(1001, 1350), "DELETE FROM t WHERE id BETWEEN 101 AND 380")
    grown = kept.keeper.keep(kept.stand.table)
    assert grown.cut == 5  # the tail, which is not copied as it is
    shrunk = kept.keeper.keep(kept.stand.table)
    assert (shrunk.cut, shrunk.built) == (1, 5 + 1)
    kept.check()
    again = kept.keeper.keep(kept.stand.table)
    assert (again.built, again.cut) == (0, 0)


def test_what_is_loaded_into_an_empty_table_is_cut_before_it_is_copied(stand: Stand) -> None:
    settings = SegmentSettings(folder=stand.root, bucket_rows=100, refresh_age_s=0)
    stand.table = accelerate(stand.owner, stand.reader, Installation(), settings, ("public", "t"))
    keeper = Keeper(stand.owner, stand.reader, stand.folder, settings, stand.format)
    assert keeper.keep(stand.table).built == 1
    stand.run(_FILL.format(1, 1000))
    made: list[Built] = []
    assert keeper.keep(stand.table, on_built=made.append, sees_to_it=False).cut == 0
    assert keeper.keep(stand.table, on_built=made.append).cut == 11
    assert keeper.keep(stand.table, on_built=made.append).built == 11
    assert max(one.row_count for one in made) == 100
    assert not stand.state().dirty


def test_a_pass_stops_when_it_is_told(kept: Kept) -> None:
    made: list[Built] = []
    done = kept.keeper.keep(kept.stand.table, goes_on=lambda: len(made) < 4, on_built=made.append)
    assert done.built == len(made) == 4
    assert all(one.row_count in (99, 100) and one.byte_size > 0 for one in made[:3])


@pytest.mark.parametrize("damage", ["flipped bit", "cut off", "missing"])
def test_a_damaged_file_is_noticed_and_copied_again(kept: Kept, damage: str) -> None:
    kept.keeper.keep(kept.stand.table)
    victim = kept.stand.segments()[3]
    path = kept.stand.folder.path(victim.file_name)
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        content[len(content) // 2] ^= 4
        path.write_bytes(content if damage == "flipped bit" else content[:-9])
    fresh = SegmentFolder(kept.stand.root, 10**9)
    with pytest.raises(SegmentDamaged):
        fresh.verified(victim.file_name, victim.byte_size or 0, victim.sha256 or "")
    keeper = Keeper(kept.stand.owner, kept.stand.reader, fresh, kept.settings, kept.stand.format)
    done = keeper.keep(kept.stand.table)
    assert (done.damaged, done.built) == (1, 1)
    assert kept.check() == 11


def test_old_versions_stay_for_a_while_and_go_then(kept: Kept) -> None:
    kept.keeper.keep(kept.stand.table)
    kept.stand.run("UPDATE t SET s = 'new' WHERE id = 150")
    kept.keeper.keep(kept.stand.table)
    assert len(kept.files()) == 12
    patient = SegmentSettings(folder=kept.settings.folder)
    assert clean_up(kept.stand.owner, kept.stand.folder, patient).files == 0
    done = clean_up(kept.stand.owner, kept.stand.folder, kept.settings)
    assert (done.files, done.entries) == (1, 1)
    assert len(kept.files()) == 11
    assert kept.check() == 11
    with kept.stand.owner.connection() as owner:
        Installation().remove(owner, kept.stand.table.oid)
    assert clean_up(kept.stand.owner, kept.stand.folder, kept.settings).files == 11
    assert kept.files() == set()


def advisory_locks(stand: Stand) -> int:
    with stand.owner.connection() as owner:
        row = owner.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    return int(str(row and row[0]))


@pytest.mark.parametrize("point", ["registered", "written", "renamed", "unpublished", "published"])
def test_a_builder_that_is_killed_leaves_nothing_that_stays(stand: Stand, point: str) -> None:
    stand.run(_FILL.format(1, 5000))
    stand.track()
    root = stand.root
    module = "tests.integration.segments.killed_builder"
    died = subprocess.run(
        [sys.executable, "-m", module, stand.url, str(root), point], check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    # its locks go when PostgreSQL notices its death
    eventually(lambda: not advisory_locks(stand), "the end of its sessions")
    states = [segment.state for segment in stand.segments()]
    assert states == (["ready"] if point == "published" else ["building"])
    hasty = SegmentSettings(folder=root, grace_s=0.001, refresh_age_s=0)
    for _ in range(2):
        clean_up(stand.owner, stand.folder, hasty)
    left = {segment.file_name for segment in stand.segments()}
    assert {name for name, _, _ in stand.folder.files()} == left
    assert len(left) == (point == "published")
    done = Keeper(stand.owner, stand.reader, stand.folder, hasty, stand.format).keep(stand.table)
    assert done.built == (point != "published")
    assert len(stand.state().clean) == 1
    (segment,) = stand.segments()
    assert len(stand.rows_of(segment)) == 5000


def test_a_full_folder_refuses_and_keeps_nothing_of_it(stand: Stand, tmp_path: Path) -> None:
    stand.run(_FILL.format(1, 50_000))
    stand.track()
    small = SegmentFolder(stand.root, 500_000)
    stand.builder._folder = small
    with pytest.raises(FolderFull, match="MILLRACE_SEGMENTS_MAX_MB"):
        stand.build()
    assert list(small.files()) == []
    assert stand.segments() == []


def test_a_build_that_is_told_to_stop_leaves_nothing(stand: Stand) -> None:
    stand.run(_FILL.format(1, 5000))
    stand.track()
    with stand.owner.connection() as owner:
        (bucket,) = current_buckets(owner, stand.table.id)
    with pytest.raises(Interrupted):
        stand.builder.build(stand.table, bucket, goes_on=lambda: False)
    assert list(stand.folder.files()) == []
    assert stand.segments() == []


def test_a_row_that_is_too_large_is_named_and_nothing_is_kept(stand: Stand) -> None:
    stand.run("INSERT INTO t (id, s) VALUES (1, repeat('x', 3000000))")
    stand.track()
    with pytest.raises(RowTooLarge, match="MILLRACE_SEGMENTS_READ_MB"):
        stand.build()
    assert list(stand.folder.files()) == []
    assert stand.segments() == []


def test_no_copy_is_made_of_a_table_whose_tracking_is_broken(stand: Stand) -> None:
    stand.track()
    stand.run("ALTER TABLE t DISABLE TRIGGER millrace_update")
    with pytest.raises(TableUntracked, match="triggers"):
        stand.build()
    assert stand.segments() == []


def test_a_removed_acceleration_is_built_for_no_more(stand: Stand) -> None:
    stand.track()
    with stand.owner.connection() as owner:
        (bucket,) = current_buckets(owner, stand.table.id)
        Installation().remove(owner, stand.table.oid)
    with pytest.raises(NotTracked):
        stand.builder.build(stand.table, bucket)

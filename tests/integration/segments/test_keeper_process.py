"""Keepers build, share the work, end in time, and outlive what happens around them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from db.tracking import segments as tracking_segments
from db.tracking.orders import cancel, order, orders
from db.tracking.segments import Segment
from tests.integration.segments.conftest import Stand
from tests.integration.segments.keepers import (
    RunningKeeper,
    clean_rows,
    environment,
    eventually,
)

_FILL = "INSERT INTO t (id, s) SELECT n, md5(n::text) FROM generate_series({}, {}) AS n"


@pytest.fixture
def keeping(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """The table with 10,000 rows, and an environment for keepers."""
    stand.run(_FILL.format(1, 10_000))
    environment(monkeypatch, stand.url, stand.root)
    return stand


@pytest.fixture
def keeper(keeping: Stand) -> Iterator[RunningKeeper]:
    with RunningKeeper() as running:
        yield running


def want(stand: Stand, name: str = "t") -> None:
    with stand.owner.connection() as owner:
        order(owner, "public", name)


def copied(stand: Stand, rows: int) -> None:
    eventually(lambda: clean_rows(stand.url, "public.t") == rows, f"{rows} clean rows")


def failures(stand: Stand) -> int:
    with psycopg.connect(stand.url) as connection:
        row = connection.execute("SELECT failures FROM millrace.table_care").fetchone()
    assert row is not None
    return int(row[0])


def all_segments(stand: Stand) -> list[Segment]:
    with stand.owner.connection() as owner:
        return tracking_segments.all_segments(owner)


def is_empty(stand: Stand, place: Path) -> bool:
    return not all_segments(stand) and not any(path.is_file() for path in place.rglob("*"))


def test_a_table_is_accelerated_by_order_refreshed_and_removed(
    keeping: Stand, keeper: RunningKeeper
) -> None:
    want(keeping)
    copied(keeping, 10_000)
    eventually(lambda: keeper.rows == 10_000, "the report")
    keeping.run("UPDATE t SET s = 'new' WHERE id = 5000", _FILL.format(10_001, 10_100))
    copied(keeping, 10_100)
    with keeping.owner.connection() as owner:
        assert cancel(owner, "public", "t")
        assert not cancel(owner, "public", "nothing")
    eventually(lambda: "acceleration_ended" in keeper.events(), "the end")
    with keeping.owner.connection() as owner:
        eventually(lambda: orders(owner) == [], "the end of the order")
    assert all_segments(keeping) == []
    want(keeping)
    copied(keeping, 10_100)
    assert set(keeper.events()) == {"acceleration_began", "acceleration_ended"}


def test_a_table_of_the_settings_is_accelerated_when_it_comes(
    keeping: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_ACCELERATE", 'late,public."odd.name",a.b.c')
    with RunningKeeper() as keeper:
        eventually(lambda: keeper.events().count("acceleration_refused") == 3, "three refusals")
        codes = {facts["table"]: facts["code"] for _, _, facts in keeper.told}
        assert codes == {"public.late": "missing", 'public."odd.name"': "missing", "a.b.c": "name"}
        keeping.run(
            "CREATE TABLE late (id int PRIMARY KEY)",
            'CREATE TABLE "odd.name" (id int PRIMARY KEY)',
            "INSERT INTO late SELECT generate_series(1, 100)",
            "GRANT SELECT ON late, \"odd.name\" TO millrace_reader",
            "UPDATE millrace.acceleration_orders SET due_at = now()",
        )  # fmt: skip
        eventually(lambda: clean_rows(keeping.url, "late") == 100, "the copy")
        eventually(lambda: clean_rows(keeping.url, '"odd.name"') == 0, "the empty copy")


def test_two_keepers_share_the_first_build(keeping: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_DB_LOCK_TIMEOUT_S", "60")
    keeping.run(_FILL.format(10_001, 40_000))
    keeping.track(*range(1001, 40_000, 1000))
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"
    with psycopg.connect(keeping.url) as holding, RunningKeeper() as one, RunningKeeper() as other:
        # or the first to start might have built all before the second is there
        holding.execute("LOCK TABLE t")
        eventually(lambda: holding.execute(waiting).fetchone() == (2,), "both at work")
        holding.commit()
        copied(keeping, 40_000)
        eventually(lambda: one.rows + other.rows >= 40_000, "the reports")
        assert min(one.rows, other.rows) >= 1_000
        assert one.rows + other.rows == 40_000, "no bucket is built twice"
    assert {segment.state for segment in all_segments(keeping)} == {"ready"}


def test_tracking_that_broke_is_installed_anew(keeping: Stand, keeper: RunningKeeper) -> None:
    want(keeping)
    copied(keeping, 10_000)
    keeping.run("ALTER TABLE t ADD extra int DEFAULT 7")
    eventually(lambda: "tracking_broken" in keeper.events(), "the notice")
    copied(keeping, 10_000)
    assert all("extra" in (one.statistics or {}) for one in all_segments(keeping) if one.statistics)
    # one that cannot be: it is given up until the table can be accelerated again
    keeping.run("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    eventually(lambda: "acceleration_refused" in keeper.events(), "the refusal")
    with keeping.owner.connection() as owner:
        assert [one.code for one in orders(owner)] == ["row-security"]
    keeping.run(
        "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        "UPDATE millrace.acceleration_orders SET due_at = now()",
    )
    copied(keeping, 10_000)


def test_what_a_killed_keeper_leaves_another_takes_over(keeping: Stand) -> None:
    command = (sys.executable, "-m", "tests.integration.segments.killed_keeper", "copying")
    with RunningKeeper(command):
        want(keeping)
        # one segment, or more if it was started again meanwhile
        eventually(
            lambda: {one.state for one in all_segments(keeping)} == {"building"}, "its death"
        )
    keeping.run("UPDATE millrace.segments SET registered_at = now() - interval '1 minute'")
    with RunningKeeper() as keeper:
        copied(keeping, 10_000)
        assert "segment_build_failed" not in keeper.events()
    assert {one.state for one in all_segments(keeping)} == {"ready"}


@pytest.mark.parametrize(
    ("point", "changes"),
    [
        ("unpublished", "UPDATE t SET s = 'new' WHERE id = 5000"),
        ("cutting", "DELETE FROM t WHERE id BETWEEN 2001 AND 4900"),
        ("cutting", "INSERT INTO t (id) SELECT generate_series(10001, 14000)"),
        ("removing", "UPDATE millrace.segments SET state = 'broken', ended_at = now()"),
        ("forgetting", "UPDATE millrace.segments SET state = 'broken', ended_at = now()"),
    ],
)
def test_one_that_is_killed_when_all_was_copied_leaves_nothing_wrong(
    keeping: Stand, monkeypatch: pytest.MonkeyPatch, point: str, changes: str
) -> None:
    """In a refresh, a new cut, or a clean-up."""
    monkeypatch.setenv("MILLRACE_SEGMENTS_GRACE_S", "0.001")
    with RunningKeeper():
        want(keeping)
        copied(keeping, 10_000)
    keeping.run(changes)
    command = (sys.executable, "-m", "tests.integration.segments.killed_keeper", point)
    with RunningKeeper(command) as killed:
        eventually(lambda: "keeper_restarted" in killed.events(), "its death")
    keeping.run(  # a minute later
        "UPDATE millrace.segments SET registered_at = now() - interval '1 minute'",
        "UPDATE millrace.table_care SET seen_to_until = now()",
    )
    with psycopg.connect(keeping.url) as connection:
        row = connection.execute("SELECT count(*) FROM t").fetchone()
    rows = int(row[0]) if row else 0
    with RunningKeeper() as keeper:
        copied(keeping, rows)
        eventually(
            lambda: {name for name, _, _ in keeping.folder.files()}
            == {one.file_name for one in all_segments(keeping)}, "the clean-up",
        )  # fmt: skip
        assert "segment_build_failed" not in keeper.events()


def test_a_bit_that_flips_is_noticed_and_repaired(keeping: Stand, keeper: RunningKeeper) -> None:
    want(keeping)
    copied(keeping, 10_000)
    path = keeping.folder.path(all_segments(keeping)[3].file_name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    eventually(lambda: "segments_damaged" in keeper.events(), "the notice")
    copied(keeping, 10_000)


def test_a_keeper_that_dies_is_started_again(keeping: Stand, keeper: RunningKeeper) -> None:
    want(keeping)
    copied(keeping, 10_000)
    assert keeper.process.pid is not None
    os.kill(keeper.process.pid, signal.SIGKILL)
    eventually(lambda: "keeper_restarted" in keeper.events(), "the restart")
    keeping.run("DELETE FROM t WHERE id > 9000")
    copied(keeping, 9_000)


def test_a_keeper_that_cannot_be_started_is_told_of(keeping: Stand) -> None:
    with RunningKeeper((str(keeping.root / "nothing"),)) as keeper:
        eventually(lambda: "keeper_restarted" in keeper.events(), "the notice")
        assert "cannot be started" in keeper.told[0][1]
        assert keeper.process.pid is None


def test_a_keeper_ends_with_its_worker(keeping: Stand) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.keeping", str(writing)],
        stdin=subprocess.PIPE, pass_fds=[writing],
    )  # fmt: skip
    os.close(writing)
    want(keeping)
    copied(keeping, 10_000)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    os.close(reading)


def test_it_waits_for_a_database_that_is_away(keeping: Stand, keeper: RunningKeeper) -> None:
    want(keeping)
    copied(keeping, 10_000)
    with keeping.owner.connection() as owner:
        row = owner.execute("SELECT current_database()").fetchone()
    name = str(row and row[0])
    with psycopg.connect(keeping.url, dbname="postgres", autocommit=True) as outside:
        outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            outside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name ^@ 'millrace/keeper' AND datname = %s",
                [name],
            )
        finally:
            outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    keeping.run("DELETE FROM t WHERE id > 9000")
    copied(keeping, 9_000)
    assert "keeper_restarted" not in keeper.events()


def test_a_disk_that_is_full_is_told_of_and_tried_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)],
        check=False, capture_output=True,
    ).returncode  # fmt: skip
    if not mounted:
        pytest.skip("needs to mount a small file system")
    try:
        stand.run(_FILL.format(1, 20_000))
        environment(monkeypatch, stand.url, place, MILLRACE_SEGMENTS_BUCKET_ROWS="100000")
        with RunningKeeper() as keeper:
            want(stand)
            eventually(lambda: "segment_build_failed" in keeper.events(), "the failure")
            facts = next(one for name, _, one in keeper.told if name == "segment_build_failed")
            assert facts["reason"] in {"disk_full", "folder_full"}
            # in five seconds it tries again
            eventually(lambda: is_empty(stand, place), "the removal of what was begun")
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            stand.run("UPDATE millrace.table_care SET retry_at = now()")
            copied(stand, 20_000)
            # the copy can be seen before the keeper says that all went well
            eventually(lambda: failures(stand) == 0, "the failure forgotten")
    finally:
        subprocess.run(["umount", str(place)], check=True)

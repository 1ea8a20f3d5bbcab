"""While others write, and segments are refreshed and cut: clean files tell the truth."""

import random
import threading
import time
from collections.abc import Callable

import psycopg

from db.tracking.clean_check import begin_checked
from db.tracking.installation import Installation
from db.tracking.segments import segments_by_id
from segments.acceleration import accelerate
from segments.clean_up import clean_up
from segments.folder import SegmentFolder
from segments.keeper import Keeper
from segments.settings import SegmentSettings
from tests.integration.segments.conftest import Stand

_RANGE = """SELECT id, s FROM public.t WHERE ($1::int IS NULL OR id >= $1::int)
   AND ($2::int IS NULL OR id < $2::int) ORDER BY id"""
_BOUNDS = "SELECT lower_key, upper_key FROM millrace.buckets WHERE id = $1::bigint"


def write(url: str, seed: int, is_over: threading.Event) -> None:
    chance = random.Random(seed)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SET lock_timeout = '100ms'")
        while not is_over.wait(0.1):
            n = 1 + int(2000 * chance.random() ** 3)  # some buckets often, others now and then
            try:
                session.execute("BEGIN")
                session.execute(
                    "UPDATE t SET s = %s WHERE id BETWEEN %s AND %s", [str(n), n, n + 9]
                )
                session.execute("SAVEPOINT a")
                session.execute("DELETE FROM t WHERE id = %s", [n])
                if chance.random() < 0.5:
                    session.execute("ROLLBACK TO a")
                session.execute(
                    "INSERT INTO t (id, s) VALUES (%s, 'new') "
                    "ON CONFLICT (id) DO UPDATE SET s = 'again'",
                    [1 + int(2200 * chance.random() ** 3)],
                )
                session.execute("ROLLBACK" if chance.random() < 0.2 else "COMMIT")
            except psycopg.Error:
                session.execute("ROLLBACK")


def repeat(work: Callable[[], object], is_over: threading.Event, failures: list[str]) -> None:
    while not is_over.wait(0.02):
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(repr(error))
            return


def test_clean_files_hold_what_the_snapshot_has(stand: Stand) -> None:
    stand.run("INSERT INTO t (id, s) SELECT n, 'old' FROM generate_series(1, 2000) AS n")
    settings = SegmentSettings(folder=stand.root, bucket_rows=50, refresh_age_s=0)
    table = accelerate(stand.owner, stand.reader, Installation(), settings, ("public", "t"))
    keeper = Keeper(stand.owner, stand.reader, stand.folder, settings)
    keeper.keep(table)
    is_over = threading.Event()
    failures: list[str] = []

    def look_after() -> None:
        keeper.keep(table, goes_on=lambda: not is_over.is_set())
        clean_up(stand.owner, stand.folder, settings)

    threads = [threading.Thread(target=write, args=(stand.url, seed, is_over)) for seed in range(4)]
    threads.append(threading.Thread(target=repeat, args=(look_after, is_over, failures)))
    for thread in threads:
        thread.start()
    compared = replaced = 0
    known: set[int] = set()
    stand.folder = SegmentFolder(stand.root, 10**9)
    try:
        deadline = time.monotonic() + 60
        # of more than were there at first: of refreshed ones, too
        while (compared < 300 or replaced < 60) and not failures:
            assert time.monotonic() < deadline
            with stand.reader.connection() as reader, stand.owner.connection() as owner:
                state = begin_checked(reader, [(table.oid, "public", "t")])[table.oid]
                assert state.problem is None
                replaced += len(state.clean - known)
                known |= state.clean
                for segment in segments_by_id(owner, sorted(state.clean)):
                    (bounds,) = owner.execute(_BOUNDS, [str(segment.bucket)]).fetchall()
                    wanted = reader.execute(_RANGE, list(bounds)).fetchall()
                    found = [(str(row["id"]), row["s"]) for row in stand.rows_of(segment)]
                    assert found == wanted
                    compared += 1
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)
    assert failures == []

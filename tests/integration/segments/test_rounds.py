"""Rounds: which tables are looked after when, and what failures say."""

import errno
import time
from pathlib import Path

import pytest

from db.tracking.care import add_asked, tables_in_care
from db.tracking.errors import NameMalformed
from db.tracking.names import parse_name, written_name
from db.tracking.orders import order
from segments.errors import FolderFull, NothingToCopy, RowTooLarge, TableUntracked
from segments.reports import CAUSES, Built
from segments.rounds import FIRST_WAIT_S, Rounds, cause_of
from segments.settings import SegmentSettings
from tests.integration.segments.conftest import Stand


class Heard:
    """Reports, kept."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.rows = 0
        self.causes: list[str] = []

    def event(self, name: str, cause: str, **facts: object) -> None:
        self.events.append(name)

    def built(self, built: Built, seconds: float) -> None:
        self.rows += built.row_count

    def failed(self, cause: str) -> None:
        self.causes.append(cause)

    def removed(self, files: int) -> None:
        self.events.append("removed")


@pytest.fixture
def heard() -> Heard:
    return Heard()


def rounds(stand: Stand, heard: Heard, **settings: float) -> Rounds:
    chosen = SegmentSettings.model_validate(
        {"folder": stand.root, "refresh_age_s": 0, "round_s": 0.0001, **settings}
    )
    return Rounds(stand.owner, stand.reader, stand.folder, chosen, heard, file_format=stand.format)


def test_a_table_that_nobody_asks_for_is_refreshed_later(stand: Stand, heard: Heard) -> None:
    stand.run("INSERT INTO t (id) SELECT generate_series(1, 100)")
    with stand.owner.connection() as owner:
        order(owner, "public", "t")
    some = rounds(stand, heard, idle_after_s=60, idle_refresh_age_s=900)
    some.make_one()
    assert heard.rows == 100
    stand.run(
        "UPDATE t SET s = 'new'",
        "UPDATE millrace.accelerated_tables SET since = now() - interval '1 hour'",
    )
    some.make_one()
    assert heard.rows == 100
    with stand.owner.connection() as owner:
        (care,) = tables_in_care(owner)
        assert care.idle_s > 3000
        add_asked(owner, {care.table.oid: (3, 2), 1: (1, 1)})
    some.make_one()
    assert heard.rows == 200
    with stand.owner.connection() as owner:
        assert tables_in_care(owner)[0].idle_s < 60


def test_only_one_of_two_looks_after_a_table_that_has_all_copies(
    stand: Stand, heard: Heard
) -> None:
    stand.run("INSERT INTO t (id) SELECT generate_series(1, 100)")
    with stand.owner.connection() as owner:
        order(owner, "public", "t")
    one, other = rounds(stand, heard, round_s=30), rounds(stand, heard, round_s=30)
    one.make_one()
    stand.run("UPDATE t SET s = 'new'")
    other.make_one()
    assert heard.rows == 100
    stand.run("UPDATE millrace.table_care SET seen_to_until = now()")
    other.make_one()
    assert heard.rows == 200


def test_a_row_that_is_too_large_keeps_no_other_bucket_waiting(stand: Stand, heard: Heard) -> None:
    stand.run(
        "INSERT INTO t (id, s) SELECT n, 'x' FROM generate_series(1, 300) AS n",
        "UPDATE t SET s = repeat('x', 3000000) WHERE id = 150",
    )
    with stand.owner.connection() as owner:
        order(owner, "public", "t")
    began = time.monotonic()
    rounds(stand, heard, bucket_rows=100, read_mb=1).make_one()
    assert heard.causes == ["row_too_large"]
    assert heard.rows == 200
    with stand.owner.connection() as owner:
        (care,) = tables_in_care(owner)
    assert (care.failures, care.lacks_copies) == (1, True)
    gone_s = time.monotonic() - began
    assert FIRST_WAIT_S - gone_s - 0.1 < care.retry_in_s <= FIRST_WAIT_S


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (FolderFull(""), "folder_full"), (OSError(errno.ENOSPC, "full"), "disk_full"),
        (OSError("[errno 28] No space left on device"), "disk_full"),
        (PermissionError(errno.EACCES, "no"), "folder"), (RowTooLarge(""), "row_too_large"),
        (NothingToCopy(""), "nothing_to_copy"), (TableUntracked(""), "untracked"),
        (ValueError(), "sql"),
    ],
)  # fmt: skip
def test_each_failure_has_a_cause(error: Exception, cause: str) -> None:
    assert cause_of(error) == cause
    assert cause in CAUSES


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("orders", ("public", "orders")), ("Sales.Orders", ("Sales", "Orders")),
        ('"a.b"', ("public", "a.b")), ('"a.b"."c""d"', ("a.b", 'c"d')), ("a b.c/d", ("a b", "c/d")),
    ],
)  # fmt: skip
def test_names_are_read_as_they_are_written(text: str, parsed: tuple[str, str]) -> None:
    assert parse_name(text, "public") == parsed
    assert parse_name(written_name(*parsed), "other") == parsed


@pytest.mark.parametrize("text", ["", ".", "a.", "a.b.c", 'a"b', '"a', "a\0b", "é" * 40])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(NameMalformed):
        parse_name(text, "public")


def test_a_folder_that_is_made_is_for_its_owner_alone(stand: Stand) -> None:
    stand.track()
    stand.build()
    assert Path(stand.root).stat().st_mode & 0o777 == 0o700

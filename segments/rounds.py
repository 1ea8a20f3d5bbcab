"""The rounds of a keeper: carry out orders, look after each table, clean up; then again.

Any number of keepers make rounds at once.  Who carries out an order, sees to a table or builds a
bucket is settled in PostgreSQL, so that a keeper that dies only leaves its part to another.
"""

import errno
import time
from collections.abc import Callable, Sequence

import psycopg

from db.database import Database
from db.tracking.care import Care, build_failed, build_went_well, see_to, tables_in_care
from db.tracking.errors import NotTracked, TableBusy, TableRefused
from db.tracking.installation import Installation
from db.tracking.names import written_name
from db.tracking.orders import Order, carried_out, order_once, put_off, take_due
from db.tracking.tracked_table import TrackedTable, tracked_tables
from segments.acceleration import accelerate
from segments.clean_up import clean_up
from segments.errors import FolderFull, NothingToCopy, RowTooLarge, SegmentError, TableUntracked
from segments.file_format import PARQUET, FileFormat
from segments.folder import SegmentFolder
from segments.keeper import Keeper
from segments.reports import Built, Reports
from segments.settings import SegmentSettings

ORDER_LEASE_S = 60.0
FIRST_WAIT_S = 5.0
LONGEST_ORDER_WAIT_S = 60.0
LONGEST_WAIT_S = 300.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Rounds:
    """Makes one round at a time; `wanted` are tables that the settings want accelerated."""

    def __init__(
        self,
        owner: Database,
        reader: Database,
        folder: SegmentFolder,
        settings: SegmentSettings,
        reports: Reports,
        *,
        wanted: Sequence[tuple[str, str]] = (),
        file_format: FileFormat = PARQUET,
        installation: Installation | None = None,
        goes_on: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = owner
        self._reader = reader
        self._folder = folder
        self._settings = settings
        self._reports = reports
        self._wanted = list(wanted)
        self._installation = installation or Installation()
        self._goes_on = goes_on
        self._clock = clock
        self._keeper = Keeper(owner, reader, folder, settings, file_format)
        self._clean_up_at = clock()

    def make_one(self) -> None:
        """Do what there is to do.  Raises DatabaseError, with the rest for the next round."""
        with self._owner.connection() as owner:
            while self._wanted:
                order_once(owner, *self._wanted[-1])
                self._wanted.pop()
            due = take_due(owner, ORDER_LEASE_S)
        for order in due:
            if self._goes_on():
                self._carry_out(order)
        with self._owner.connection() as owner:
            cares = tables_in_care(owner)
        for care in cares:
            if self._goes_on() and care.retry_in_s <= 0:
                self._look_after(care)
        if self._goes_on() and self._clock() >= self._clean_up_at:
            self._clean_up_at = self._clock() + self._settings.clean_up_s
            self._clean_up()

    def _carry_out(self, order: Order) -> None:
        try:
            self._install_or_remove(order)
        except TableRefused as error:
            if error.code != "accelerated":  # by another keeper, then
                self._put_off(order, error.code, str(error))
                return
        except (TableBusy, psycopg.Error) as error:
            code = "busy" if isinstance(error, TableBusy) else "sql"
            self._put_off(order, code, str(error).strip())
            return
        with self._owner.connection() as owner:
            carried_out(owner, order)

    def _put_off(self, order: Order, code: str, problem: str) -> None:
        wait_s = min(LONGEST_ORDER_WAIT_S, FIRST_WAIT_S * 2.0 ** min(order.attempts, 10))
        with self._owner.connection() as owner:
            put_off(owner, order, code, problem, wait_s)
        if code != order.code:  # once, and not at each attempt
            name = written_name(order.schema, order.name)
            self._reports.event("acceleration_refused", problem, table=name, code=code)

    def _install_or_remove(self, order: Order) -> None:
        name = written_name(order.schema, order.name)
        with self._owner.connection() as owner:
            tables = tracked_tables(owner)
        table = next((t for t in tables if (t.schema, t.name) == (order.schema, order.name)), None)
        if table is not None:
            problem = self._problem(table)
            if order.is_wanted and problem is None:
                return
            if order.is_wanted:
                self._reports.event("tracking_broken", str(problem), table=name)
            try:
                with self._owner.connection() as owner:
                    self._installation.remove(owner, table.oid, only=table.id)
            except NotTracked:
                return  # another keeper did
            if not order.is_wanted:
                self._reports.event("acceleration_ended", "it was ordered", table=name)
        if order.is_wanted:
            accelerate(
                self._owner, self._reader, self._installation, self._settings,
                (order.schema, order.name),
            )  # fmt: skip
            again = "its tracking was broken" if table is not None else "it was ordered"
            self._reports.event("acceleration_began", again, table=name)

    def _problem(self, table: TrackedTable) -> str | None:
        with self._owner.connection() as owner:
            row = owner.execute(
                "SELECT millrace.tracking_problem($1::oid)", [str(table.oid)]
            ).fetchone()
        return row[0] if row else None

    def _look_after(self, care: Care) -> None:
        table = care.table
        is_idle = care.idle_s > self._settings.idle_after_s
        with self._owner.connection() as owner:
            sees_to_it = see_to(owner, table.id, 2 * self._settings.round_s)
        # one of all keepers is enough, unless there is much to build
        if not sees_to_it and not care.lacks_copies:
            return
        began = self._clock()

        def on_built(built: Built) -> None:
            nonlocal began
            self._reports.built(built, self._clock() - began)
            began = self._clock()

        try:
            kept = self._keeper.keep(
                table,
                refresh_age_s=self._settings.idle_refresh_age_s if is_idle else None,
                sees_to_it=sees_to_it,
                goes_on=self._goes_on,
                on_built=on_built,
            )
        except NotTracked:
            return  # removed meanwhile
        except (SegmentError, psycopg.Error, OSError) as error:
            self._failed(care, error)
            return
        if kept.damaged:
            name = written_name(table.schema, table.name)
            cause = f"{kept.damaged} files are not what was written, or gone"
            self._reports.event("segments_damaged", cause, table=name)
        if kept.failure is not None:
            self._failed(care, kept.failure)
        elif care.failures:
            with self._owner.connection() as owner:
                build_went_well(owner, table.id)

    def _failed(self, care: Care, error: Exception) -> None:
        cause = cause_of(error)
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(care.failures, 10))
        problem = str(error).strip()
        try:
            with self._owner.connection() as owner:
                build_failed(owner, care.table.id, cause, problem, wait_s)
        finally:  # told of when it is in the database, or cannot be
            self._reports.failed(cause)
            self._reports.event(
                "segment_build_failed", problem, reason=cause, pause_s=wait_s,
                table=written_name(care.table.schema, care.table.name),
            )  # fmt: skip

    def _clean_up(self) -> None:
        try:
            removed = clean_up(self._owner, self._folder, self._settings)
        except OSError as error:
            self._reports.event("segment_clean_up_failed", str(error))
            return
        if removed.files:
            self._reports.removed(removed.files)


def cause_of(error: Exception) -> str:
    """Return which of CAUSES a failed build has."""
    match error:
        case FolderFull():
            return "folder_full"
        case RowTooLarge():
            return "row_too_large"
        case NothingToCopy():
            return "nothing_to_copy"
        case TableUntracked():
            return "untracked"
        case OSError():
            # Arrow's own errors have the number in their text alone
            is_full = error.errno in _NO_ROOM or "No space left" in str(error)
            return "disk_full" if is_full else "folder"
        case _:
            return "sql"

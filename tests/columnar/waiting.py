"""Waits for what processes do, with deadlines."""

import time
from collections.abc import Callable

from db.tracking.clean_check import begin_checked
from db.tracking.tracked_table import tracked_tables
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.settings import QueueSettings
from tests.columnar.world import Stand

DEADLINE_S = 60.0
STEP_S = 0.05


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds.  Raises TimeoutError."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(STEP_S)


def until_built(stand: Stand) -> None:
    """Wait until each table has clean segments, and none that are not."""
    with stand.databases("waiting") as (owner, reader):
        with owner.connection() as connection:
            tables = tracked_tables(connection)

        def built() -> bool:
            with reader.connection() as connection:
                states = begin_checked(
                    connection, [(one.oid, one.schema, one.name) for one in tables]
                )
                return all(state.clean and not state.dirty for state in states.values())

        until(built, "not all segments were built")


def until_workers(redis_url: str, count: int) -> None:
    """Wait until so many workers that read segments are there."""
    settings = QueueSettings(url=redis_url)
    with connect(settings, "waiting") as client:
        dispatcher = Dispatcher(client, settings)
        until(lambda: dispatcher.capacity().segment_readers >= count, "no worker came")

"""Removes what nobody needs any more: files of old versions, and what killed builders left.

Queries that began before a segment was replaced may still read it: its file stays for a time that
is longer than any of them may take.  Each step may be repeated, or cut short, at any point.  Files
of other databases in the folder are let alone.
"""

from dataclasses import dataclass

from db.database import Database
from db.pool import Connection
from db.tracking.identity import database_identity
from db.tracking.segments import Segment, abandon, all_segments, forget, is_being_built
from db.tracking.tracked_table import tracked_tables
from segments.folder import UNFINISHED, SegmentFolder
from segments.settings import SegmentSettings


@dataclass(frozen=True)
class Removed:
    """What one pass removed: files, and entries of the list."""

    files: int
    entries: int


def clean_up(owner: Database, folder: SegmentFolder, settings: SegmentSettings) -> Removed:
    """Make one pass.  Raises DatabaseError, OSError; what is left then, the next one finds."""
    with owner.connection() as connection:
        # files before the list: one that is listed afterwards was registered before it was made
        database = database_identity(connection)
        files = list(folder.files(database))
        tables = folder.tables(database)
        listed = all_segments(connection)
        dead = [one for one in listed if _is_dead(connection, one, settings)]
        for segment in dead:
            abandon(connection, segment.id)
        over = [
            one
            for one in listed
            if one.state in {"retired", "broken"} and one.age_s > settings.grace_s
        ]
        gone = {one.file_name for one in (*dead, *over)}
        kept = {one.file_name for one in listed} - gone
        removed = 0
        for name, _, age_s in files:
            wanted = name.removesuffix(UNFINISHED) in kept
            if not wanted and (name in gone or age_s > settings.grace_s):
                folder.remove(name)
                removed += 1
        tracked = {f"{database}/{table.id}" for table in tracked_tables(connection)}
        for name in tables:
            if name not in tracked:  # and never will be again
                folder.remove_table(name)
        # after the files: an entry without a file is found by the next pass, a file without an
        # entry looks like one that nobody knows of
        forget(connection, [one.id for one in over])
    return Removed(removed, len(dead) + len(over))


def _is_dead(connection: Connection, segment: Segment, settings: SegmentSettings) -> bool:
    """Tell whether a segment was announced, and whoever was to build it is gone."""
    if segment.state != "building" or segment.age_s < settings.grace_s:
        return False
    return not is_being_built(connection, segment.id)

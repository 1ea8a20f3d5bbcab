"""The kinds of jobs that this version of the worker runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database
from jobs.kind import Kind
from worker.tables.checksum_table import ChecksumTable
from worker.tables.diff_tables import DiffTables
from worker.tables.opening import Tables


@dataclass(frozen=True)
class Tools:
    """What kinds work with.

    `own` reaches our own tables, `reader` the users' ones as the role that users' SQL runs as,
    without a statement timeout; `others` are further databases by their names in the settings.
    One task uses at most `connections` of each; `max_load`: see worker.tables.pace.Throttle.
    """

    own: Database
    reader: Database
    others: Mapping[str, Database]
    connections: int
    max_load: int


def job_kinds(tools: Tools) -> tuple[Kind, ...]:
    """Return one instance of each."""
    tables = Tables(tools.reader, tools.others, tools.connections, tools.max_load)
    return (ChecksumTable(tables), DiffTables(tools.own, tables))

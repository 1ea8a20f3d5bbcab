"""The kinds of jobs that this version of the worker runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database
from hashing.digester import Digester
from jobs.kind import Kind
from jobs.settings import JobSettings
from jobs.uploads import Uploads
from worker.rows.hash_query import HashQuery
from worker.rows.hash_rows import HashRows
from worker.tables.checksum_table import ChecksumTable
from worker.tables.diff_tables import DiffTables
from worker.tables.opening import Tables


@dataclass(frozen=True)
class Tools:
    """What kinds work with.

    `own` reaches our own tables, `reader` the users' ones as the role that users' SQL runs as,
    without a statement timeout; `others` are further databases by their names in the settings.
    `hash_keys` are secret keys by theirs.
    """

    own: Database
    reader: Database
    others: Mapping[str, Database]
    settings: JobSettings
    hash_keys: Mapping[str, bytes]
    digester: Digester
    uploads: Uploads


def job_kinds(tools: Tools) -> tuple[Kind, ...]:
    """Return one instance of each."""
    own, settings, keys, digester = tools.own, tools.settings, tools.hash_keys, tools.digester
    tables = Tables(tools.reader, tools.others, settings.connections, settings.max_load)
    return (
        HashRows(own, settings, keys, digester, tools.uploads),
        HashQuery(own, tools.reader, settings, keys, digester),
        ChecksumTable(tables),
        DiffTables(own, tables),
    )

"""The kinds of jobs that this version of the worker runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database
from jobs.kind import Kind


@dataclass(frozen=True)
class Tools:
    """What kinds work with.

    `own` reaches our own tables, `reader` the users' ones as the role that users' SQL runs as,
    without a statement timeout; `others` are further databases by their names in the settings.
    """

    own: Database
    reader: Database
    others: Mapping[str, Database]


def job_kinds(tools: Tools) -> tuple[Kind, ...]:  # noqa: ARG001 - none yet
    """Return one instance of each."""
    return ()

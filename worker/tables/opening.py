"""From a job's parameters to what is read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import psycopg

from db.database import Database
from db.sqlstate import sqlstate_of
from jobs.errors import PermanentFailure, TaskCancelled
from jobs.tables.comparison import Comparison, Reading, comparison, reading
from jobs.tables.errors import TableRefused
from jobs.tables.relation import Relation, find_query, find_table
from worker.tables.statements import Algorithm, Statements

# syntax and access, data such as a division by zero in `where`, features, limits: the same again
_HOPELESS = ("42", "22", "0A", "54")


@dataclass(frozen=True)
class Tables:
    """The databases that jobs read tables of.

    `connections`: how many one task may use of each; `max_load`: see Throttle.
    """

    reader: Database
    others: Mapping[str, Database]
    connections: int
    max_load: int

    def database(self, name: str | None) -> Database:
        """Return the database of that name; None: the users' own.  Raises PermanentFailure."""
        if name is None:
            return self.reader
        if name not in self.others:
            raise PermanentFailure(
                f"This worker knows no database {name}; MILLRACE_JOBS_DATABASES must be alike "
                "for all.", "DatabaseUnknown",
            )  # fmt: skip
        return self.others[name]

    def reading(self, parameters: Mapping[str, Any]) -> Reading:
        """Return what checksum_table reads.  Raises PermanentFailure."""
        with permanent(), self.database(parameters.get("database")).connection() as connection:
            if parameters.get("query") is not None:
                relation = find_query(connection, parameters["query"])
            else:
                relation = _table(find_table(connection, parameters["table"]), parameters["table"])
        with permanent():
            return reading(relation, parameters["key"], parameters["columns"])

    def comparison(self, parameters: Mapping[str, Any]) -> Comparison:
        """Return what diff_tables compares.  Raises PermanentFailure."""
        relations = []
        for place in ("left", "right"):
            side = parameters[place]
            with permanent(), self.database(side.get("database")).connection() as connection:
                relations.append(_table(find_table(connection, side["table"]), side["table"]))
        left, right = relations
        with permanent():
            return comparison(
                left, right, parameters["key"], parameters["columns"],
                one_database=is_one_database(parameters),
            )  # fmt: skip

    def load_limit(self, parameters: Mapping[str, Any]) -> int:
        """Return how many other sessions may be busy."""
        given = parameters.get("max_load")
        return self.max_load if given is None else int(given)


def statements(read: Reading, parameters: Mapping[str, Any]) -> Statements:
    """Return the statements by which a reading is read, as the job wants it."""
    return Statements(read, parameters.get("where"), algorithm_of(parameters))


def algorithm_of(parameters: Mapping[str, Any]) -> Algorithm:
    """Return the hash that the job wants."""
    return cast("Algorithm", parameters["algorithm"])


def is_one_database(parameters: Mapping[str, Any]) -> bool:
    """Whether both sides of a comparison lie in one database."""
    return bool(parameters["left"].get("database") == parameters["right"].get("database"))


@contextmanager
def permanent() -> Iterator[None]:
    """Translate errors that another attempt would meet again into PermanentFailure."""
    try:
        yield
    except TableRefused as error:
        raise PermanentFailure(str(error), "TableRefused") from error
    except TaskCancelled:
        raise
    except psycopg.Error as error:
        state = sqlstate_of(error) or ""
        if state.startswith(_HOPELESS):
            raise PermanentFailure(str(error).strip(), type(error).__name__) from error
        raise


def _table(relation: Relation | None, name: str) -> Relation:
    if relation is None:
        raise PermanentFailure(f"There is no table {name} that may be read.", "TableRefused")
    return relation

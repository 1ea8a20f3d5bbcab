"""PostgreSQL and Redis of a run: those given by URL, or embedded ones in the data folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import Program
from cli.embedded.valkey import EmbeddedValkey
from cli.errors import DataFolderInUse, DidNotStart
from cli.stack.demo import create_demo
from cli.stack.given_servers import check_postgres, check_redis
from db.errors import DatabaseError
from db.migrate import migrate
from db.settings import DatabaseSettings

RESERVED_CONNECTIONS = 30  # psql, migrations, PostgreSQL's own three, monitoring
LEAST_CONNECTIONS = 100
SPARE_WORKERS = 8  # that can be added at run time


@dataclass(frozen=True)
class Servers:
    """Where the two servers are; `postgres`, `valkey` are the embedded ones, None: given by URL."""

    database_url: str
    redis_url: str
    postgres: EmbeddedPostgres | None
    valkey: EmbeddedValkey | None

    def programs(self) -> list[Program]:
        """Return the embedded servers' programs, which are to be supervised."""
        return [server.program() for server in (self.postgres, self.valkey) if server is not None]


def choose_servers(
    data: Path, database_url: str | None, redis_url: str | None, *, connections: int
) -> Servers:
    """Check the given servers, and set up embedded ones for those that are not given.

    `connections` is how many the pools of all programs may open.  Raises ServerUnreachable and
    EmbeddedServerError.
    """
    if database_url is not None:
        check_postgres(database_url)
    if redis_url is not None:
        check_redis(redis_url)
    postgres, valkey = None, None
    if database_url is None:
        postgres = embedded_postgres(data, connections=connections)
        database_url = postgres.url()
    if redis_url is None:
        valkey = EmbeddedValkey(place_for(data))
        if valkey.is_ready():  # PostgreSQL sees to this by itself; two Valkeys would mix their data
            raise DataFolderInUse(
                f"A Valkey that is not ours answers at {valkey.socket}. End it, then try again."
            )
        redis_url = valkey.url()
    return Servers(database_url, redis_url, postgres, valkey)


def embedded_postgres(data: Path, *, connections: int = 0) -> EmbeddedPostgres:
    """Return the PostgreSQL of a data folder; its cluster is there, the server does not run yet.

    Raises EmbeddedServerError.
    """
    most = max(LEAST_CONNECTIONS, connections + RESERVED_CONNECTIONS)
    postgres = EmbeddedPostgres(place_for(data), settings={"max_connections": str(most)})
    postgres.initialise()
    return postgres


def prepare_database(
    database_url: str, postgres: EmbeddedPostgres | None, note: Callable[[str], None]
) -> None:
    """Migrate the database; create it and the demo table first if the server is ours.

    Raises DidNotStart with the cause.
    """
    settings = DatabaseSettings(url=database_url)
    try:
        if postgres is not None:
            postgres.ensure_database()
        applied = migrate(database_url, settings)
        note(f"migrations: {', '.join(applied) if applied else 'nothing to apply'}")
        if postgres is not None and create_demo(database_url, settings.schema_name):
            note("demo table: numbers, 100,000 rows")
    except (DatabaseError, psycopg.Error) as error:
        raise DidNotStart(f"The database cannot be prepared: {str(error).strip()}") from error

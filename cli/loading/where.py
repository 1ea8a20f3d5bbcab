"""The database to load into: given, of the running `up`, or started for the load alone."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import DataFolderInUse
from cli.stack.folder import logs_of, prepare_folder
from cli.stack.given_servers import check_postgres
from cli.stack.servers import embedded_postgres, prepare_database
from cli.supervisor.change import Change
from cli.supervisor.leftovers import end_leftovers
from cli.supervisor.run_file import FolderLock, RunFile, is_locked
from cli.supervisor.supervisor import Supervisor

START_LIMIT_S = 120.0


@contextmanager
def database(data: Path, given_url: str | None, say: Callable[[str], None]) -> Iterator[str]:
    """Yield the database's URL; a server that was started for it ends afterwards.

    Raises ServerUnreachable, DataFolderInUse, DidNotStart.
    """
    if given_url is not None:
        check_postgres(given_url)
        yield given_url
    elif is_locked(data):
        url = RunFile(data).read().database_url
        if url is None:
            raise DataFolderInUse(
                f"Another millrace on {data} is starting or loading. Try again in a moment."
            )
        yield url
    else:
        with _own_server(data, say) as url:
            yield url


@contextmanager
def _own_server(data: Path, say: Callable[[str], None]) -> Iterator[str]:
    say(f"`millrace up` is not running on {data}; starting PostgreSQL for this load")
    prepare_folder(data)
    with FolderLock(data):
        run_file = RunFile(data)
        end_leftovers(run_file.read().programs, say)
        supervisor = Supervisor(logs_of(data), run_file, _ignore)
        previous = signal.signal(signal.SIGTERM, _interrupt)
        try:
            postgres = embedded_postgres(data)
            program = postgres.program()
            supervisor.add(program)
            supervisor.wait_healthy([program.name], START_LIMIT_S)
            prepare_database(postgres.url(), postgres, say)
            yield postgres.url()
        finally:
            supervisor.stop()
            run_file.remove()
            signal.signal(signal.SIGTERM, previous)


def _ignore(change: Change) -> None:
    """One server that starts and ends needs no report."""


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt

"""`millrace up`: everything on this machine, until it is told to stop."""

import queue
import signal
import sys
from pathlib import Path
from typing import Literal

import click

from cli.display import Display, QuietConsole
from cli.embedded.errors import DataFolderBroken
from cli.errors import CommandError, DataFolderUnusable
from cli.log_follower import LogFollower
from cli.settings import CliSettings, default_data_folder, inherited_environment
from cli.stack.folder import prepare_folder
from cli.stack.given_servers import masked
from cli.stack.ports import require_free
from cli.stack.session import Ended, Event, Events, Failed, Note, Running, Session, Wishes
from cli.supervisor.change import Change
from cli.supervisor.leftovers import end_leftovers
from cli.supervisor.run_file import FolderLock, RunFile
from db.settings import DatabaseSettings
from tasks.redis_url import client_of

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED_AT_ONCE = 130
REFRESH_S = 0.2


@click.command()
@click.option("--apps", default=3, show_default=True, type=click.IntRange(1, 64), help="Replicas.")
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(0, 64), help="Workers."
)
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Public port."
)
@click.option(
    "--admin-port", default=8081, show_default=True, type=click.IntRange(1, 65535),
    help="The balancer's own port, for operators.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path), default=None,
    help="Folder of the embedded servers and of all logs.  [default: .millrace of the checkout]",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Show the programs' logs here, too.")
@click.option(
    "--drill", is_flag=True,
    help="Let this stack be harmed on purpose: its servers are reached through fault proxies.",
)  # fmt: skip
def up(
    apps: int,
    workers: int,
    port: int,
    admin_port: int,
    data: Path | None,
    *,
    verbose: bool,
    drill: bool,
) -> None:
    """Start everything on this machine; Ctrl-C stops it.

    Brings its own PostgreSQL and Valkey unless DATABASE_URL and REDIS_URL are given.
    """
    if port == admin_port:
        raise click.UsageError("--port and --admin-port must differ.")
    settings = CliSettings()
    database = DatabaseSettings(url=settings.database_url or "postgresql://")
    if drill:
        _require_own_servers(settings, database)
    wishes = Wishes(
        apps, workers, port, admin_port, (data or default_data_folder()).resolve(),
        settings.database, settings.redis,
        database.pool_size, drill,
    )  # fmt: skip
    sys.exit(_run(wishes, verbose=verbose))


def _require_own_servers(settings: CliSettings, database: DatabaseSettings) -> None:
    given = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "MILLRACE_READER_URL": database.reader_url,
        "MILLRACE_REPLICA_URLS": database.replica_urls,
    }
    for name, url in given.items():
        if url:
            raise click.UsageError(
                f"--drill harms the servers, and {name} gives one that is not this stack's own. "
                f"Unset {name}."
            )


def _run(wishes: Wishes, *, verbose: bool) -> int:
    prepare_folder(wishes.data)
    events: Events = queue.SimpleQueue()
    display = Display(QuietConsole(highlight=False), live=not verbose)
    with FolderLock(wishes.data):
        # from here on a signal ends the run in order
        for number in STOP_SIGNALS:
            signal.signal(number, lambda received, _: events.put(signal.Signals(received)))
        run_file = RunFile(wishes.data)
        end_leftovers(run_file.read().programs, display.say)
        require_free(wishes.port, "--port")
        require_free(wishes.admin_port, "--admin-port")
        session = Session(
            wishes, inherited_environment(), run_file, events,
            redis_client=lambda url: client_of(url, socket_timeout=2.0, socket_connect_timeout=2.0),
        )  # fmt: skip
        follower = (
            LogFollower(session.logs, lambda line: events.put(Note(line))) if verbose else None
        )
        if follower is not None:
            follower.start()
        try:
            return _Loop(wishes, session, events, display, follower).run()
        finally:
            run_file.remove()


class _Loop:
    """Shows events and acts on signals, until everything has ended."""

    def __init__(
        self,
        wishes: Wishes,
        session: Session,
        events: Events,
        display: Display,
        follower: LogFollower | None,
    ) -> None:
        self._wishes = wishes
        self._session = session
        self._events = events
        self._display = display
        self._follower = follower
        self._exit_code = 0
        self._stopping: Literal["no", "in order", "at once"] = "no"

    def run(self) -> int:
        """Start, wait for the end, and return the exit code."""
        self._session.start()
        while True:
            try:
                event = self._events.get(timeout=REFRESH_S)
            except queue.Empty:
                self._display.refresh()
                continue
            if isinstance(event, Ended):
                self._last_words()
                return self._exit_code
            self._handle(event)

    def _last_words(self) -> None:
        if self._follower is not None:
            self._follower.stop()
            while not self._events.empty():
                self._handle(self._events.get())
        self._display.settle()
        self._display.say("Stopped; nothing is left running.")

    def _handle(self, event: Event) -> None:
        if isinstance(event, Change):
            self._display.change(event)
        elif isinstance(event, Note):
            self._display.say(event.text)
        elif isinstance(event, Running):
            self._display.settle()
            self._display.tell(self._summary(event))
        elif isinstance(event, Failed):
            self._fail(event.error)
        elif isinstance(event, signal.Signals):
            self._signalled(event)

    def _signalled(self, number: signal.Signals) -> None:
        self._display.settle()
        if self._stopping == "no":
            self._stopping = "in order"
            self._display.say(f"{number.name}: stopping in order; once more stops at once")
            self._session.stop()
        elif self._stopping == "in order":
            self._stopping = "at once"
            self._exit_code = self._exit_code or STOPPED_AT_ONCE
            self._display.say("Stopping at once")
            self._session.hurry()

    def _fail(self, error: Exception) -> None:
        self._display.complain(f"millrace: {error}")
        self._exit_code = exit_code(error)
        if self._stopping == "no":
            self._stopping = "in order"
            self._session.stop()

    def _summary(self, running: Running) -> list[str]:
        address = f"http://127.0.0.1:{self._wishes.port}"
        json = "-H 'Content-Type: application/json'"
        query = (
            '{"sql": "SELECT grp, count(*), avg(v), max(n) FROM numbers GROUP BY grp ORDER BY grp"}'
        )
        value = '{"algorithm": "sha256", "data": "hello"}'
        return [
            "",
            f"Millrace answers at {address}, {running.seconds:.1f} s after its start. Try:",
            f"  curl {address}/v1/query {json} -d '{query}'",
            f"  curl {address}/v1/hash {json} -d '{value}'",
            f"  curl {address}/v1/status",
            f"Database: psql '{masked(running.servers.database_url)}'",
            f"Balancer's status: http://127.0.0.1:{self._wishes.admin_port}/lb/status",
            *(f"Worker's metrics: http://{one}/metrics" for one in running.workers),
            f"Logs: {self._session.logs}",
            "Ctrl-C stops everything.",
        ]


def exit_code(error: Exception) -> int:
    """Return the exit code that an error stands for."""
    if isinstance(error, DataFolderBroken):
        return DataFolderUnusable.exit_code
    return error.exit_code if isinstance(error, CommandError) else 1

"""Faults of PostgreSQL that it brings upon itself when told to."""

import contextlib
import random
import signal
from collections.abc import Iterator

import psutil
import psycopg

from cli.faults.fault import Fault, FaultImpossible, Held, Injected, Undoing
from cli.faults.processes import FOR_GOOD_S, POSTGRESQL, Processes, send
from cli.faults.stack import Stack

HELD_S = (2.0, 8.0)
OURS = "millrace-drill"  # application_name of our sessions, not to be taken for a program's
OTHERS = (
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
    f"AND application_name <> '{OURS}' ORDER BY pid"
)


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Return a session past the proxy that may write whatever the server's default is.

    Raises psycopg.Error.
    """
    return psycopg.connect(
        url, autocommit=True, connect_timeout=5, application_name=OURS,
        options="-c default_transaction_read_only=off -c statement_timeout=5000",
    )  # fmt: skip


def make_writable(url: str) -> None:
    """Take back that new transactions are read-only.  Raises psycopg.Error."""
    with connect(url) as connection:
        connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute("SELECT pg_reload_conf()")


def postgresql_faults(stack: Stack, rng: random.Random) -> list[Fault]:
    """Return the faults of PostgreSQL on this machine."""
    processes = Processes(stack, rng)
    url = stack.database_url

    def crash() -> Injected:
        _, leader = processes.one(POSTGRESQL)
        with _impossible_without_postgresql(), connect(url) as connection:
            pids = [pid for (pid,) in connection.execute(OTHERS)]
        pid = rng.choice(pids) if pids else None
        with contextlib.suppress(psutil.Error):
            victims = [one for one in leader.children() if one.pid == pid]
            if victims and send(victims[0], signal.SIGKILL):
                # PostgreSQL cannot know what that session has left half done in shared memory:
                # it ends all others and recovers from its log
                return Held(f"SIGKILL to a session of PostgreSQL (pid {pid})", FOR_GOOD_S)
        raise FaultImpossible("PostgreSQL has no session to kill just now")

    return [Fault("kill-postgresql", "postgresql", crash), *session_faults(url, rng)]


def session_faults(url: str, rng: random.Random) -> list[Fault]:
    """Return the faults that sessions of a superuser bring about, wherever PostgreSQL runs."""

    def full() -> Injected:
        with Undoing() as undoing:
            ended = rng.random() < 0.5
            with _impossible_without_postgresql():
                taken = _take_all(url, undoing)
                if ended:  # those who were in lose their place, too
                    taken[0].execute(f"SELECT pg_terminate_backend(pid) FROM ({OTHERS}) AS others")
                    taken += _take_all(url, undoing, at_least=0)
            told = f"all connections of PostgreSQL taken, by {len(taken)} sessions"
            told += "; the others' were ended" if ended else "; the others keep theirs"
            return undoing.held(told, rng.uniform(*HELD_S))

    def read_only() -> Injected:
        with Undoing() as undoing, _impossible_without_postgresql():
            with connect(url) as connection:
                undoing.later(make_writable, url)
                connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
                connection.execute("SELECT pg_reload_conf()")
            return undoing.held("PostgreSQL's transactions are read-only", rng.uniform(*HELD_S))

    return [
        Fault("full-postgresql", "postgresql", full),
        Fault("read-only-postgresql", "postgresql", read_only),
    ]


def _take_all(
    url: str, undoing: Undoing, *, at_least: int = 1
) -> list[psycopg.Connection[tuple[object, ...]]]:
    taken: list[psycopg.Connection[tuple[object, ...]]] = []
    while True:
        try:
            session = connect(url)
        except psycopg.OperationalError:
            if len(taken) < at_least:
                raise
            return taken
        undoing.later(session.close)
        taken.append(session)


@contextlib.contextmanager
def _impossible_without_postgresql() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise FaultImpossible(f"PostgreSQL is not there just now: {error}") from error

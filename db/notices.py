"""Words between processes, by way of PostgreSQL: LISTEN and NOTIFY."""

import random
import threading
from collections.abc import Callable

import psycopg
import structlog

from db.database import connection_string
from db.settings import OWN_SCHEMA, DatabaseSettings

CHANNEL = f"{OWN_SCHEMA}_notices"
LISTENER = "millrace/notices"
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
WAKE_S = 0.5  # between two looks at whether to stop

# Only who listens has this name, so that counting its sessions counts who will hear.
COUNT_LISTENERS = (
    "SELECT count(*) FROM pg_catalog.pg_stat_activity "
    f"WHERE datname = pg_catalog.current_database() AND application_name = '{LISTENER}'"
)
SEND = f"SELECT pg_catalog.pg_notify('{CHANNEL}', $1)"

# of its own, so that nobody who counts on the order of the shared one's numbers is disturbed
_CHANCE = random.Random().random  # noqa: S311 - to spread attempts
_log = structlog.stdlib.get_logger("db.notices")


class Notices:
    """Hears what any process sends, over one connection of its own; makes a new one when it breaks.

    What is sent while it is not connected is not heard: notices make things quick, and nothing
    may depend on them alone.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        on_notice: Callable[[str], None],
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        self._conninfo = connection_string(settings.url, "", {}, settings.connect_timeout_s)
        self._on_notice = on_notice
        self._chance = chance
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    connection.execute(f"SET application_name = '{LISTENER}'")
                    pause_s = FIRST_PAUSE_S
                    while not self._stopped.is_set():
                        for notice in connection.notifies(timeout=WAKE_S):
                            self._tell(notice.payload)
            except psycopg.Error as error:
                _log.warning("not listening", error=str(error).strip())
                # a random part off: the processes that lost PostgreSQL together return one by one
                self._stopped.wait(pause_s * (1.0 - self._chance() / 2.0))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _tell(self, payload: str) -> None:
        try:
            self._on_notice(payload)
        except Exception:  # noqa: BLE001 - one bad notice must not end the listening
            _log.exception("notice failed")

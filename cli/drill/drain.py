"""The end of a drill: what was promised comes to its end, and is looked at, row by row."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg

from cli.drill.actions.jobs import PATH as JOBS_PATH
from cli.drill.census import Census, note_census, note_digests, take_census
from cli.drill.client import Client
from cli.drill.mix import Mix
from cli.drill.promises import Kept, Promises

LOOK_EVERY_S = 0.5
ATTEMPTS = 5  # to read one result: a client that is told to come again does


class Drain:
    """Waits, retries once what was given up, and writes down what is there."""

    def __init__(
        self, database_url: str, mix: Mix, promises: Promises, client: Callable[[str], Client]
    ) -> None:
        self._url = database_url
        self._mix = mix
        self._promises = promises
        self._new_client = client
        self.given_up: dict[str, str] = {}  # by key, the error
        self.unfinished = 0

    def run(self, limit_s: float, stopping: threading.Event) -> None:
        """Wait at most `limit_s` seconds, then take stock.  Raises psycopg.Error."""
        client = self._new_client("drain")
        history = client.history
        end = history.now() + limit_s
        while True:
            census = self._census(end, client)
            self._retry(client, census)
            self.unfinished = census.unfinished + len(census.failed_jobs)
            if self.unfinished == 0 or history.now() > end or stopping.wait(LOOK_EVERY_S):
                break
        note_census(census, self._promises, history)
        note_digests(self._url, history)
        self._look_at_all(census)

    def _census(self, end: float, client: Client) -> Census:
        """Take the census; PostgreSQL may still be recovering."""
        while True:
            try:
                return take_census(self._url, self._promises.prefix)
            except psycopg.OperationalError:
                if client.history.now() > end:
                    raise
                client.pause(LOOK_EVERY_S)

    def _retry(self, client: Client, census: Census) -> None:
        """Do what an operator does with what was given up: have it tried again, once."""
        for job in census.failed_jobs:
            if job.key not in self.given_up:
                reply = client.ask("POST", f"{JOBS_PATH}/{job.id}/retry")
                if reply.is_fine:
                    self.given_up[job.key] = job.error or ""

    def _look_at_all(self, census: Census) -> None:
        asked = {promise.key: promise for promise in self._promises.asked()}
        done = [
            Kept(asked[one.key], one.id, 0.0)
            for one in (*census.jobs, *census.later)
            if one.state == "done" and one.key in asked
        ]
        parts = 4
        with ThreadPoolExecutor(parts) as pool:
            for _ in pool.map(self._look_at, [done[part::parts] for part in range(parts)]):
                pass

    def _look_at(self, kept: Sequence[Kept]) -> None:
        client = self._new_client("drain look")
        for one in kept:
            look = self._mix.jobs.look if one.promise.kind == "job" else self._mix.later.look
            for _ in range(ATTEMPTS):
                if look(client, one):
                    break
                client.pause(LOOK_EVERY_S)
        client.connection.close()

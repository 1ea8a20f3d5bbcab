"""Durable jobs whose rows' digests are known: small uploads, and queries over the demo table."""

import json
import random

from cli.drill.actions.submission import submit
from cli.drill.client import Client
from cli.drill.connection import JSON, Reply
from cli.drill.event import FINE, Rows
from cli.drill.known_answers import KnownAnswers
from cli.drill.promises import Kept, Promise, Promises
from cli.drill.row_digest import SHORT, digest_of

PATH = "/v1/jobs"
SMALL, LARGE = 30, 400  # rows at most
LARGE_SHARE = 0.1
BOUNDARY = "drill-form-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PATIENCE_S = 8.0
LOOK_EVERY_S = 0.05
SETTLED_S = 5.0
USUAL, FIRST = 5, 9  # priorities
NOT_DONE = "/problems/job-not-done"


class Jobs:
    """Has rows hashed by jobs, and looks at what they have left."""

    def __init__(self, answers: KnownAnswers, promises: Promises) -> None:
        self._numbers = answers.numbers
        self._promises = promises

    def send_file(self, client: Client) -> bool:
        """Have a small CSV file hashed; tell whether that was promised."""
        rows = [(str(place), f"{client.rng.getrandbits(40):x}") for place in range(_size(client))]
        key = self._promises.new_key("file")
        promise = Promise("job", key, tuple(digest_of(row) for row in rows))
        job = {"kind": "hash_rows", "parameters": {"format": "csv"}}
        csv = "place,value\n" + "".join(f"{place},{value}\n" for place, value in rows)
        body = _form(json.dumps(job), csv)
        return submit(client, self._promises, promise, "job file", PATH, body, FORM) is not None

    def send_query(self, client: Client) -> bool:
        """Have the rows of a query hashed; tell whether that was promised."""
        return self._send_query(client, _size(client)) is not None

    def whole(self, client: Client) -> bool:
        """Have a few rows hashed, and wait for their digests; tell whether they were right.

        Before all other jobs: those that have gathered during a fault are served as fast as the
        machine can, and are looked at in the end.
        """
        kept = self._send_query(client, 3, priority=FIRST)
        if kept is None:
            return False
        end = client.history.now() + PATIENCE_S
        while client.history.now() < end:
            reply = client.ask("GET", f"{PATH}/{kept.id}")
            document = reply.document()
            if not reply.is_fine or not isinstance(document, dict):
                client.note("job state", reply)
                return False
            if document["state"] == "done":
                return self.look(client, kept)
            if client.pause(LOOK_EVERY_S):
                break
        return False

    def look_back(self, client: Client) -> bool:
        """Look at the rows of some earlier job, which may not be done."""
        before = client.history.now() - SETTLED_S
        kept = self._promises.any_kept("job", before, client.rng)
        return kept is not None and self.look(client, kept)

    def look(self, client: Client, kept: Kept) -> bool:
        """Look at the rows of a job; tell whether they are there, and right."""
        reply = client.ask("GET", f"{PATH}/{kept.id}/result")
        observed = _rows(reply) if reply.is_fine else None
        if observed is None:
            ending = FINE if reply.problem == NOT_DONE else None
            client.note("job result", reply, ending=ending)
            return False
        client.note("job result", reply, Rows(kept.promise.key, kept.promise.expected, observed))
        return tuple(digest for _, digest in observed) == kept.promise.expected

    def _send_query(self, client: Client, size: int, priority: int = USUAL) -> Kept | None:
        first = client.rng.randint(1, len(self._numbers) - size)
        key = self._promises.new_key("query")
        # with the key in each row, a row of another job would be a wrong one
        rows = [(id_, self._numbers[id_ - 1], key) for id_ in range(first, first + size)]
        promise = Promise("job", key, tuple(digest_of(row) for row in rows))
        sql = "SELECT id, n, $3::text AS key FROM numbers WHERE id BETWEEN $1 AND $2 ORDER BY id"
        parameters = {"sql": sql, "params": [first, first + size - 1, key]}
        job = {"kind": "hash_query", "parameters": parameters, "priority": priority}
        body = json.dumps(job).encode()
        headers = {"Content-Type": JSON}
        id_ = submit(client, self._promises, promise, "job query", PATH, body, headers)
        return None if id_ is None else Kept(promise, id_, client.history.now())


def _size(client: Client) -> int:
    rng: random.Random = client.rng
    return rng.randint(SMALL, LARGE) if rng.random() < LARGE_SHARE else rng.randint(1, SMALL)


def _form(job: str, csv: str) -> bytes:
    parts = (("job", JSON, "", job), ("file", "text/csv", '; filename="rows.csv"', csv))
    texts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n'
        f"Content-Type: {media_type}\r\n\r\n{content}\r\n"
        for name, media_type, more, content in parts
    ]
    return ("".join(texts) + f"--{BOUNDARY}--\r\n").encode()


def _rows(reply: Reply) -> tuple[tuple[int, str], ...] | None:
    """Return the rows of a result; None if its end is missing."""
    lines = [json.loads(line) for line in reply.body.splitlines() if line]
    if not lines or not isinstance(lines[-1], dict) or lines[-1].get("complete") is not True:
        return None
    return tuple((int(line[0]), str(line[1])[:SHORT]) for line in lines if isinstance(line, list))

"""Asynchronous queries: promised with 202, then asked for until the answer is there."""

from cli.drill.actions.submission import submit
from cli.drill.client import Client
from cli.drill.connection import Reply
from cli.drill.event import Read
from cli.drill.known_answers import KnownAnswers
from cli.drill.plain import rows_of, text_of
from cli.drill.promises import Kept, Promise, Promises

PATIENCE_S = 5.0
LOOK_EVERY_S = 0.1
UNFINISHED = ("queued", "running")


class LaterQueries:
    """Asks for answers later.  Its methods tell whether the right one came."""

    def __init__(self, answers: KnownAnswers, promises: Promises) -> None:
        self._questions = [*answers.direct, *answers.split]
        self._promises = promises

    def ask(self, client: Client) -> bool:
        """Have a query promised, and wait a little for it; in the end all are looked at."""
        question = client.rng.choice(self._questions)
        promise = Promise("later", self._promises.new_key("later"), (question.expected,))
        body = {"sql": question.sql, "params": list(question.params)}
        headers = {"Prefer": "respond-async"}
        id_ = submit(client, self._promises, promise, "query later", "/v1/query", body, headers)
        if id_ is None:
            return False
        end = client.history.now() + PATIENCE_S
        while client.history.now() < end:
            reply = client.ask("GET", f"/v1/queries/{id_}")
            if not reply.is_fine or rows_of(reply.body) is not None:
                return _noted(client, promise, reply)
            if client.pause(LOOK_EVERY_S):
                break
        return False

    def look(self, client: Client, kept: Kept) -> bool:
        """Look at the answer of a query that is done."""
        return _noted(client, kept.promise, client.ask("GET", f"/v1/queries/{kept.id}"))


def _noted(client: Client, promise: Promise, reply: Reply) -> bool:
    """Write the answer down; return whether it is the right one."""
    rows = rows_of(reply.body) if reply.is_fine else None
    observed = None if rows is None else text_of(rows)
    client.note("query answer", reply, Read(promise.expected[0], observed))
    return observed == promise.expected[0]

"""Queries that are answered at once: known answers, and what is seen of the register."""

from typing import Any

from cli.drill.client import Client
from cli.drill.connection import Reply
from cli.drill.event import FINE, Read, Seen
from cli.drill.known_answers import KnownAnswers, Question
from cli.drill.plain import rows_of, text_of
from cli.drill.register import OTHERS, SEEN

PATH = "/v1/query"
PARTS, PARTS_SHARE = 3, 0.5
NOT_NOW = "/problems/not-splittable"
REGISTER_MAX_AGE_S = 3.0


class KnownQueries:
    """Asks questions whose answers are known.  Each method tells whether the answer was right.

    And normal: not stale, and in parts where that was asked for.
    """

    def __init__(self, answers: KnownAnswers) -> None:
        self._answers = answers

    def direct(self, client: Client) -> bool:
        """Ask for an answer that is computed now, whole."""
        body = {"engine": "direct", "max_staleness_s": 0}
        question = client.rng.choice(self._answers.direct)
        return self._ask(client, "query direct", question, body)

    def split(self, client: Client) -> bool:
        """Ask for an answer that is computed now; in parts while slots are free."""
        question = client.rng.choice(self._answers.split)
        return self._ask(client, "query split", question, {"max_staleness_s": 0})

    def in_parts(self, client: Client) -> bool:
        """Insist on an answer in parts, which is refused while no worker is there."""
        body = {"engine": "partitioned", "partitions": PARTS, "max_staleness_s": 0}
        question = client.rng.choice(self._answers.split)
        return self._ask(client, "query in parts", question, body, "partitioned")

    def cached(self, client: Client) -> bool:
        """Ask for an answer that may have been computed before."""
        questions = [*self._answers.direct, *self._answers.split]
        return self._ask(client, "query cached", client.rng.choice(questions), {})

    def _ask(
        self, client: Client, kind: str, question: Question, body: dict[str, Any], mode: str = ""
    ) -> bool:
        body = {**body, "sql": question.sql, "params": list(question.params)}
        reply = client.ask("POST", PATH, body)
        rows = rows_of(reply.body) if reply.is_fine else None
        observed = None if rows is None else text_of(rows)
        document = _document(reply)
        stale = document.get("stale") is True
        client.note(kind, reply, Read(question.expected, observed), stale=stale)
        if observed != question.expected or stale:
            return False
        return mode in ("", document["plan"]["mode"])


class RegisterReads:
    """Reads the register: all its rows have one version in every answer, and never an older one
    than the answer says of itself.
    """  # noqa: D205

    def fresh(self, client: Client) -> bool:
        """Ask for what is there now, in parts or whole."""
        body = {"sql": SEEN, "max_staleness_s": 0}
        if client.rng.random() < PARTS_SHARE:
            in_parts = {**body, "engine": "partitioned", "partitions": PARTS}
            reply = client.ask("POST", PATH, in_parts)
            if reply.problem != NOT_NOW:
                return self._note(client, "register fresh", reply, 0.0)
            # as documented where no worker is there; who insisted then asks without
            client.note("register fresh", reply, ending=FINE)
        return self._ask(client, "register fresh", body, 0.0)

    def cached(self, client: Client) -> bool:
        """Ask for what was there a short time ago, or for whatever is kept."""
        if client.rng.random() < 0.5:
            return self._ask(client, "register cached", {"sql": SEEN}, float("inf"))
        body = {"sql": SEEN, "max_staleness_s": REGISTER_MAX_AGE_S}
        return self._ask(client, "register cached", body, REGISTER_MAX_AGE_S)

    def _ask(self, client: Client, kind: str, body: dict[str, Any], most_s: float) -> bool:
        return self._note(client, kind, client.ask("POST", PATH, body), most_s)

    def _note(self, client: Client, kind: str, reply: Reply, most_s: float) -> bool:
        rows = rows_of(reply.body) if reply.is_fine else None
        if rows is None:
            client.note(kind, reply, None)
            return False
        document = _document(reply)
        if len(rows) != 1 or tuple(rows[0][2:]) != OTHERS:
            client.note(kind, reply, Read(text_of([OTHERS]), text_of(rows)))
            return False
        age_s = min(most_s, float(document["age_s"]))
        stale = document["stale"] is True
        client.note(kind, reply, Seen(int(rows[0][0]), int(rows[0][1]), age_s), stale=stale)
        return not stale


def _document(reply: Reply) -> dict[str, Any]:
    document = reply.document() if reply.is_fine else None
    return document if isinstance(document, dict) else {}

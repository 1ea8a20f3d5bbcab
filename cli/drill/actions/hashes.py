"""Hashes, compared with hashlib's, and digests that are stored."""

import hashlib
import json
import random

from cli.drill.client import Client
from cli.drill.connection import Reply
from cli.drill.event import Attempt, Read

ALGORITHMS = ("sha256", "sha512", "sha3_256", "blake2b", "sha1", "md5")
STORED = "sha256"
BATCH = 6
STREAM_BYTES = 48 * 1024
SHARED = 20  # values that many clients store, and whose counts therefore grow in groups
SHARED_SHARE = 0.25
NDJSON = {"Content-Type": "application/x-ndjson"}
OCTETS = {"Content-Type": "application/octet-stream"}


def effect_of(text: str) -> str:
    """Return the name of the effect that a value's digest is stored."""
    return f"{STORED}:{hashlib.sha256(text.encode()).hexdigest()}"


class Hashes:
    """Asks for digests.  Each method tells whether all were right; `prefix` is the drill's own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def one(self, client: Client) -> bool:
        """Hash one value."""
        algorithm, text = client.rng.choice(ALGORITHMS), self._text(client.rng)
        reply = client.ask("POST", "/v1/hash", {"algorithm": algorithm, "data": text})
        return _noted(client, "hash", reply, _digest(algorithm, text.encode()), _told(reply))

    def store(self, client: Client) -> bool:
        """Hash one value and have its digest stored."""
        text = self._stored_text(client.rng)
        body = {"algorithm": STORED, "data": text, "store": True}
        reply = client.ask("POST", "/v1/hash", body)
        client.note("store", reply, Attempt(effect_of(text), once=False), is_part=True)
        return _noted(client, "hash store", reply, _digest(STORED, text.encode()), _told(reply))

    def batch(self, client: Client) -> bool:
        """Hash some values in one go, and have each third one stored."""
        items = []
        for place in range(BATCH):
            is_stored = place % 3 == 0
            text = self._stored_text(client.rng) if is_stored else self._text(client.rng)
            algorithm = STORED if is_stored else client.rng.choice(ALGORITHMS)
            items.append((algorithm, text, is_stored))
        lines = [
            json.dumps({"algorithm": algorithm, "data": text, "store": is_stored}) + "\n"
            for algorithm, text, is_stored in items
        ]
        reply = client.ask("POST", "/v1/hash/batch", "".join(lines).encode(), NDJSON)
        answers = _lines(reply.body) if reply.is_fine else []
        told = [answer.get("digest") for answer in answers]
        for place, (_, text, is_stored) in enumerate(items):
            if is_stored:
                self._note_item(client, reply, answers[place : place + 1], text)
        expected = [_digest(algorithm, text.encode()) for algorithm, text, _ in items]
        # an item with a problem has no digest, which is no wrong one
        matched = [
            one if one is None else right for one, right in zip(told, expected, strict=False)
        ]
        ending = None if reply.ending != "ok" else _ending(answers)
        client.note("hash batch", reply, Read(json.dumps(matched), json.dumps(told)), ending=ending)
        return told == expected

    def stream(self, client: Client) -> bool:
        """Hash a body by two algorithms in one pass."""
        body = client.rng.randbytes(client.rng.randint(1, STREAM_BYTES))
        first, second = client.rng.sample(ALGORITHMS, 2)
        path = f"/v1/hash/stream?algorithm={first}&algorithm={second}"
        reply = client.ask("POST", path, body, OCTETS)
        expected = f"{_digest(first, body)} {_digest(second, body)}"
        observed = None
        if reply.is_fine:
            observed = " ".join(one["digest"] for one in reply.document()["digests"])
        return _noted(client, "hash stream", reply, expected, observed)

    def _note_item(
        self, client: Client, reply: Reply, answer: list[dict[str, object]], text: str
    ) -> None:
        attempt = Attempt(effect_of(text), once=False)
        if reply.is_fine and not (answer and answer[0].get("stored") is True):
            client.note("store", reply, attempt, outcome="unknown", is_part=True)
        else:
            client.note("store", reply, attempt, is_part=True)

    def _text(self, rng: random.Random) -> str:
        return f"{self._prefix} {rng.getrandbits(64):x} " + "é" * rng.randint(0, 40)

    def _stored_text(self, rng: random.Random) -> str:
        if rng.random() < SHARED_SHARE:
            return f"{self._prefix} shared {rng.randrange(SHARED)}"
        return self._text(rng)


def _digest(algorithm: str, data: bytes) -> str:
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def _told(reply: Reply) -> str | None:
    document = reply.document() if reply.is_fine else None
    return str(document.get("digest")) if isinstance(document, dict) else None


def _noted(client: Client, kind: str, reply: Reply, expected: str, observed: str | None) -> bool:
    client.note(kind, reply, Read(expected, observed))
    return observed == expected


def _lines(body: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in body.splitlines() if line]


def _ending(answers: list[dict[str, object]]) -> str | None:
    """Return how a batch ended of which an item has a problem; None if none has."""
    for answer in answers:
        problem = answer.get("problem")
        if isinstance(problem, dict):
            return f"item: {str(problem.get('type')).removeprefix('/problems/')}"
    return None

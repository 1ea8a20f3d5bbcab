"""A batch: many values in, one answer for each out, while the others still come."""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from app.bodies import refused
from app.digests.settings import MOST_AT_ONCE
from app.digests.sighting import Sighting
from app.hashes.answer_buffer import AnswerBuffer
from app.hashes.answers import hash_answer
from app.hashes.items import Item, ItemTooLarge
from app.models_hash import HashRequest
from app.problem_table import problem_for
from app.problem_types import BODY_TOO_LARGE
from app.problems import Problem
from hashing.digester import Digester

Store = Callable[[Sequence[Sighting]], None]


@dataclass(frozen=True)
class Form:
    """How answers are put together: what begins, parts, follows and ends them."""

    media_type: str
    begin: bytes
    between: bytes
    after: bytes
    end: bytes


NDJSON = Form("application/x-ndjson", b"", b"", b"\n", b"")
ARRAY = Form("application/json", b"[\n", b",\n", b"", b"\n]\n")


@dataclass(frozen=True)
class _Answered:
    """An item's answer, and what must be stored before it is given."""

    index: int
    text: str
    sighting: Sighting | None = None


class Batch:
    """Answers the items of one request, with bounds on their number.

    `store` returns once digests are durable.  Answers wait for it, those of later items too: what
    came in one piece is stored in one go.
    """

    def __init__(
        self,
        digester: Digester,
        form: Form,
        max_items: int,
        max_item_bytes: int,
        request_id: str,
        store: Store,
    ) -> None:
        self._digester = digester
        self._form = form
        self._max_items = max_items
        self._max_item_bytes = max_item_bytes
        self._request_id = request_id
        self._store = store
        self._index = 0
        self._held: list[_Answered] = []
        self._sightings: list[Sighting] = []

    def answer(self, items: Iterator[Item], client: socket.socket | None) -> Iterator[bytes]:
        """Yield the answer to `items` as it becomes known.

        What ends the batch early (a limit, a broken array, a body cut off) is told in a last
        answer of its own: the status has been sent long before.
        """
        buffer = AnswerBuffer(client)
        try:
            ready: list[bytes] = []
            for answer in self._answers(items):
                if answer is not None:
                    ready.append(answer)
                    continue
                buffer.add(b"".join(ready))
                ready.clear()
                yield from buffer.sendable()
            buffer.add(b"".join([*ready, self._end()]))
            yield from buffer.rest()
        finally:
            buffer.close()

    def _end(self) -> bytes:
        return self._form.end if self._index else self._form.begin + self._form.end

    def _answers(self, items: Iterator[Item]) -> Iterator[bytes | None]:
        try:
            for item in items:
                if item is None:
                    yield from self._released()
                    yield None
                    continue
                if self._index == self._max_items:
                    raise Problem(
                        BODY_TOO_LARGE,
                        f"A batch has at most {self._max_items} items "
                        "(MILLRACE_HASH_BATCH_MAX_ITEMS). The rest was not read; send it apart.",
                    )
                yield from self._given(self._one(item))
        except ItemTooLarge:
            problem = Problem(
                BODY_TOO_LARGE,
                f"The item is larger than {self._max_item_bytes} bytes "
                "(MILLRACE_HASH_BATCH_ITEM_MAX_BYTES). It and what follows were not read.",
            )
            yield from self._given(self._failed(problem))
        except Problem as problem:
            yield from self._given(self._failed(problem))
        yield from self._released()

    def _given(self, answered: _Answered) -> Iterator[bytes]:
        """Yield what may be sent after this answer: nothing while some wait to be stored."""
        self._index += 1
        if answered.sighting is not None:
            self._sightings.append(answered.sighting)
        elif not self._held:
            yield self._framed(answered)
            return
        self._held.append(answered)
        if len(self._sightings) == MOST_AT_ONCE:
            yield from self._released()

    def _released(self) -> Iterator[bytes]:
        """Store what waits for it, and yield the answers that wait."""
        held, sightings = self._held, self._sightings
        if not held:
            return
        self._held, self._sightings = [], []
        problem: Problem | None = None
        try:
            self._store(sightings)
        except Exception as error:
            problem = problem_for(error)
            if problem is None:
                raise
        for answered in held:
            if problem is None or answered.sighting is None:
                yield self._framed(answered)
            else:
                yield self._framed(self._failed(problem, answered.index))

    def _one(self, item: bytes) -> _Answered:
        try:
            body = HashRequest.model_validate_json(item)
            members, sighting = hash_answer(body, self._digester)
            return _Answered(self._index, f'{{"index":{self._index},{members}}}', sighting)
        except ValidationError as error:
            return self._failed(refused(HashRequest, error))
        except Exception as error:
            known = problem_for(error)
            if known is None:
                raise
            return self._failed(known)

    def _failed(self, problem: Problem, index: int | None = None) -> _Answered:
        index = self._index if index is None else index
        document = problem.document(self._request_id)
        return _Answered(index, json.dumps({"index": index, "problem": document}))

    def _framed(self, answered: _Answered) -> bytes:
        before = self._form.begin if answered.index == 0 else self._form.between
        return before + answered.text.encode() + self._form.after

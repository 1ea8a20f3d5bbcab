"""A batch: many values in, one answer for each out, while the others still come."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from app.bodies import refused
from app.hashes.answer_buffer import AnswerBuffer
from app.hashes.answers import hash_answer
from app.hashes.items import Item, ItemTooLarge
from app.models_hash import HashRequest
from app.problem_table import problem_for
from app.problem_types import BODY_TOO_LARGE
from app.problems import Problem
from hashing.digester import Digester
from hashing.errors import HashingError


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


class Batch:
    """Answers the items of one request, with bounds on their number."""

    def __init__(
        self, digester: Digester, form: Form, max_items: int, max_item_bytes: int, request_id: str
    ) -> None:
        self._digester = digester
        self._form = form
        self._max_items = max_items
        self._max_item_bytes = max_item_bytes
        self._request_id = request_id
        self._index = 0

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
                    yield None
                    continue
                if self._index == self._max_items:
                    raise Problem(
                        BODY_TOO_LARGE,
                        f"A batch has at most {self._max_items} items "
                        "(MILLRACE_HASH_BATCH_MAX_ITEMS). The rest was not read; send it apart.",
                    )
                yield self._framed(self._one(item))
        except ItemTooLarge:
            problem = Problem(
                BODY_TOO_LARGE,
                f"The item is larger than {self._max_item_bytes} bytes "
                "(MILLRACE_HASH_BATCH_ITEM_MAX_BYTES). It and what follows were not read.",
            )
            yield self._framed(self._failed(problem))
        except Problem as problem:
            yield self._framed(self._failed(problem))

    def _one(self, item: bytes) -> str:
        try:
            body = HashRequest.model_validate_json(item)
            return f'{{"index":{self._index},{hash_answer(body, self._digester)}}}'
        except ValidationError as error:
            return self._failed(refused(HashRequest, error))
        except Problem as problem:
            return self._failed(problem)
        except HashingError as error:
            known = problem_for(error)
            if known is None:
                raise
            return self._failed(known)

    def _failed(self, problem: Problem) -> str:
        document = problem.document(self._request_id)
        return json.dumps({"index": self._index, "problem": document})

    def _framed(self, answer: str) -> bytes:
        before = self._form.begin if self._index == 0 else self._form.between
        self._index += 1
        return before + answer.encode() + self._form.after

"""Batches: every item answered, in order, whatever the others are."""

import hashlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.hashes.answer_buffer import MEMORY_BYTES, AnswerBuffer
from app.hashes.items import ItemTooLarge, elements, lines
from app.problems import Problem
from app.services import Services

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
NDJSON = "application/x-ndjson"


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def post(client: FlaskClient, body: bytes, content_type: str = NDJSON) -> list[Any]:
    response = client.post("/v1/hash/batch", data=body, content_type=content_type)
    assert (response.status_code, response.content_type) == (200, content_type)
    if content_type == NDJSON:
        assert response.text.endswith("\n") or not response.text
        return [json.loads(line) for line in response.text.splitlines()]
    answers: list[Any] = json.loads(response.text)
    return answers


@given(
    values=st.lists(JSON, max_size=5),
    size=st.integers(1, 9),
    indent=st.sampled_from([None, 1]),
    plain=st.booleans(),
)
def test_the_elements_of_an_array_are_cut_out_however_they_arrive(
    values: list[Any], size: int, indent: int | None, plain: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=plain).encode()
    found = [item for item in elements(cut(b" \n" + text + b"\n ", size), 10_000) if item]
    assert [json.loads(item) for item in found] == values


@given(values=st.lists(JSON, max_size=5), size=st.integers(1, 9), ended=st.booleans())
def test_lines_are_cut_out_however_they_arrive(values: list[Any], size: int, ended: bool) -> None:
    text = "\n".join(json.dumps(value) for value in values) + ("\n\r\n" if ended else "")
    found = [item for item in lines(cut(text.encode(), size), 10_000) if item]
    assert [json.loads(item) for item in found] == values


@pytest.mark.parametrize(
    "text", ["", "{}", "[1", "[1,]", "[,1]", "[1]]", "[1] 2", '["a', "[}", '[{"a": 1}}', "nonsense"]
)
@pytest.mark.parametrize("size", [1, 100])
def test_an_array_that_is_none_is_refused(text: str, size: int) -> None:
    with pytest.raises(Problem):
        list(elements(cut(text.encode(), size), 1000))


@pytest.mark.parametrize("size", [1, 7, 5000])
@pytest.mark.parametrize("whole", [True, False])
def test_an_item_that_is_too_large_ends_the_reading(size: int, whole: bool) -> None:
    text = ("x" * 1001 + ("\n" if whole else "")).encode()
    with pytest.raises(ItemTooLarge):
        list(lines(cut(text, size), 1000))
    with pytest.raises(ItemTooLarge):
        list(elements(cut(b'["' + text + (b'"]' if whole else b""), size), 1000))


@pytest.mark.parametrize("content_type", [NDJSON, "application/json"])
def test_items_are_answered_in_order_and_broken_ones_by_themselves(
    client: FlaskClient, content_type: str
) -> None:
    texts = [
        '{"data": "a"}',
        '{"data": "YQ", "encoding": "base64"}',
        '{"data": "a", "algorithm": "md5", "output": "base64"}',
        '{"data": 1}',
        '{"data": "b", "algorithm": "sha257"}',
        "{nonsense}",
        '{"row": ["a", null]}',
        '{"data": "a", "length": 3}',
        '{"data": "c"}',
    ]
    body = "\n".join(texts) if content_type == NDJSON else f"[{','.join(texts)}]"
    answers = post(client, body.encode(), content_type)
    assert [answer["index"] for answer in answers] == list(range(9))
    assert [index for index, answer in enumerate(answers) if "problem" in answer] == [1, 3, 4, 5, 7]
    assert answers[0]["digest"] == hashlib.sha256(b"a").hexdigest()
    assert answers[8]["digest"] == hashlib.sha256(b"c").hexdigest()
    assert answers[1]["problem"]["errors"][0]["pointer"] == "/data"
    assert answers[5]["problem"]["type"] == "/problems/malformed-json"
    assert answers[7]["problem"]["errors"][0]["pointer"] == "/length"


def test_an_empty_batch_has_an_empty_answer(client: FlaskClient) -> None:
    assert post(client, b"") == []
    assert post(client, b" [ ] ", "application/json") == []


def test_an_array_that_breaks_off_answers_what_came_before(client: FlaskClient) -> None:
    answers = post(client, b'[{"data": "a"}, {"data": "b"}, {"da', "application/json")
    assert [answer.get("digest") is not None for answer in answers] == [True, True, False]
    assert answers[2]["problem"]["type"] == "/problems/malformed-json"


def test_half_a_line_at_the_end_is_answered_as_what_it_is(client: FlaskClient) -> None:
    answers = post(client, b'{"data": "a"}\n{"data": "')
    assert "digest" in answers[0]
    assert answers[1]["problem"]["type"] == "/problems/malformed-json"


def test_limits_end_the_batch_and_say_which(app: Flask, services: Services) -> None:
    small = services.hashing.settings.model_copy(
        update={"hash_batch_max_items": 2, "hash_batch_item_max_bytes": 30}
    )
    object.__setattr__(services.hashing, "settings", small)
    client = app.test_client()
    answers = post(client, b'{"data": "a"}\n' * 4)
    assert len(answers) == 3
    assert "MILLRACE_HASH_BATCH_MAX_ITEMS" in answers[2]["problem"]["detail"]
    answers = post(client, b'{"data": "a"}\n{"data": "' + b"x" * 30 + b'"}\n{"data": "b"}\n')
    assert len(answers) == 2
    assert answers[1]["problem"]["type"] == "/problems/body-too-large"
    assert "MILLRACE_HASH_BATCH_ITEM_MAX_BYTES" in answers[1]["problem"]["detail"]


def test_another_media_type_is_refused(client: FlaskClient) -> None:
    response = client.post("/v1/hash/batch", data=b"a", content_type="text/csv")
    assert response.status_code == 415
    assert "application/x-ndjson" in response.headers["Accept-Post"]


def test_answers_wait_while_nobody_reads_and_arrive_whole_in_the_end() -> None:
    near, far = socket.socketpair()
    with near, far:
        buffer = AnswerBuffer(near)
        expected = bytes(index % 251 for index in range(3 * MEMORY_BYTES))
        for start in range(0, len(expected), 100_000):
            buffer.add(expected[start : start + 100_000])
            for piece in buffer.sendable():
                near.sendall(piece)  # never blocks: nobody reads at the other end
        near.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: far.recv(1 << 20), b""))
        received += b"".join(buffer.rest())
        buffer.close()
    assert received == expected


def test_without_a_connection_answers_wait_for_the_end() -> None:
    buffer = AnswerBuffer(None)
    buffer.add(b"abc")
    assert list(buffer.sendable()) == []
    assert list(buffer.rest()) == [b"abc"]
    buffer.close()

"""Uploads over HTTP, through a real replica."""

import hashlib
import http.client
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.hashes import digest_fields
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.app.conftest import DEADLINE_S, ROOT, Replica, Start, _starter, wait_until
from tests.integration.app.test_hash_bulk import GROWTH_BYTES, PIECE, PIECES, Memory, many

CONTENT = bytes(index * 7 % 251 for index in range(3_000_000))
COMPLETE = {"Upload-Complete": "?1"}


@pytest.fixture(scope="module")
def replica(
    tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> Iterator[Replica]:
    """A replica for all tests that need no settings of their own."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE uploads")
    url = postgres.url("uploads")
    migrate(url, DatabaseSettings(DATABASE_URL=url))
    for start in _starter(tmp_path_factory.mktemp("uploads")):
        yield start(DATABASE_URL=url, REDIS_URL=valkey.url(1022))
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE uploads WITH (FORCE)")


def digest(content: bytes, *names: str) -> str:
    ours = digest_fields.ALGORITHMS
    return digest_fields.write(
        {name: hashlib.new(ours[name], content).digest() for name in names or ("sha-256",)}
    )


def begin(replica: Replica, content: bytes = b"", **fields: str) -> str:
    """Begin an upload; return its path."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    answer = replica.http.post("/v1/uploads", content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def add(
    replica: Replica, path: str, offset: int, content: bytes | Iterator[bytes], **fields: str
) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    headers["Upload-Offset"] = str(offset)
    return replica.http.patch(path, content=content, headers=headers)


def problem(answer: httpx.Response) -> tuple[int, str]:
    body: Any = answer.json()
    return answer.status_code, body["type"]


def test_a_small_file_is_one_request(replica: Replica) -> None:
    name = 'attachment; filename="numbers.csv"'
    headers = {**COMPLETE, "Content-Disposition": name, "Repr-Digest": digest(CONTENT)}
    answer = replica.http.post("/v1/uploads", content=CONTENT, headers=headers)
    document: Any = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/uploads/{document['id']}"
    assert document["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (document["name"], document["size_bytes"]) == ("numbers.csv", len(CONTENT))
    assert (document["complete"], document["verified"]) == (True, True)


def test_a_file_in_parts_is_resumed_by_offset(replica: Replica) -> None:
    path = begin(replica, CONTENT[:10], Upload_Length=str(len(CONTENT)))
    assert add(replica, path, 10, CONTENT[10:1_500_000]).status_code == 200
    head = replica.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Upload-Offset"] == "1500000"
    assert head.headers["Upload-Complete"] == "?0"
    assert head.headers["Upload-Length"] == str(len(CONTENT))
    assert re.fullmatch(r"max-size=\d+, max-age=86400", head.headers["Upload-Limit"])
    answer = add(
        replica, path, 1_500_000, iter([CONTENT[1_500_000:]]), Upload_Complete="?1",
        Repr_Digest=digest(CONTENT),
    )  # fmt: skip
    assert answer.headers["Upload-Complete"] == "?1"
    assert replica.http.get(path).json() == answer.json()
    # who did not get the answer asks again
    again = add(replica, path, len(CONTENT), b"", Upload_Complete="?1")
    assert again.json() == answer.json()


def test_a_wrong_offset_is_answered_with_the_right_one(replica: Replica) -> None:
    path = begin(replica, b"abc")
    for content in (b"", b"def"):
        answer = add(replica, path, 2, content)
        assert problem(answer) == (409, "/problems/upload-offset-wrong")
        assert answer.json()["expected-offset"] == 3
        assert answer.headers["Upload-Offset"] == "3"


def test_what_a_wrong_content_digest_came_with_does_not_count(replica: Replica) -> None:
    path = begin(replica, b"abc")
    for names in (("sha-256",), ("sha-512",), ("sha-256", "sha-512")):
        answer = add(replica, path, 3, CONTENT, Content_Digest=digest(b"other", *names))
        assert problem(answer) == (400, "/problems/digest-mismatch")
        assert replica.http.head(path).headers["Upload-Offset"] == "3"
    right = digest(CONTENT, "sha-256", "sha-512")
    assert add(replica, path, 3, CONTENT, Content_Digest=right).status_code == 200
    whole = digest(b"abc" + CONTENT)
    answer = add(replica, path, 3 + len(CONTENT), b"", Upload_Complete="?1", Repr_Digest=whole)
    assert answer.json()["verified"] is True


def test_a_wrong_digest_of_the_whole_completes_nothing(replica: Replica) -> None:
    path = begin(replica, b"abc")
    for _ in range(2):
        answer = add(replica, path, 3, b"", Upload_Complete="?1", Repr_Digest=digest(b"abd"))
        assert problem(answer) == (400, "/problems/digest-mismatch")
        assert answer.json()["computed"] == digest(b"abc")
        assert replica.http.head(path).headers["Upload-Complete"] == "?0"


def test_a_first_request_that_fails_leaves_nothing(
    start: Start, environment: dict[str, str]
) -> None:
    replica = start(**environment, MILLRACE_UPLOADS_MAX_OPEN="1")
    for headers in (
        {"Content-Digest": digest(b"abd")},
        {"Repr-Digest": digest(b"abd"), "Upload-Complete": "?1"},
        {"Upload-Length": "4", "Upload-Complete": "?1"},
        {"Upload-Length": "2"},
    ):
        answer = replica.http.post("/v1/uploads", content=b"abc", headers=headers)
        assert answer.status_code in (400, 409, 413)
    begin(replica)  # there is room


@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_what_came_before_the_connection_broke_is_kept(replica: Replica, framing: str) -> None:
    path = begin(replica)
    sent = CONTENT if "Length" in framing else f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n"
    with socket.create_connection(("127.0.0.1", replica.port), DEADLINE_S) as connection:
        head = f"PATCH {path} HTTP/1.1\r\nHost: a\r\nUpload-Offset: 0\r\n{framing}\r\n\r\n"
        connection.sendall(head.encode() + sent)
    wait_until(
        lambda: replica.http.head(path).headers["Upload-Offset"] == str(len(CONTENT)),
        "what came is kept",
    )
    whole = digest(CONTENT + b"end")
    answer = add(replica, path, len(CONTENT), b"end", Upload_Complete="?1", Repr_Digest=whole)
    assert answer.json()["verified"] is True


def test_a_part_with_a_digest_that_breaks_off_leaves_nothing(replica: Replica) -> None:
    path = begin(replica)
    with socket.create_connection(("127.0.0.1", replica.port), DEADLINE_S) as connection:
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: a\r\nUpload-Offset: 0\r\nContent-Length: 5000000\r\n"
            f"Content-Digest: {digest(CONTENT)}\r\n\r\n"
        )
        connection.sendall(head.encode() + CONTENT)
        connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 400
    assert replica.http.head(path).headers["Upload-Offset"] == "0"


def test_an_upload_goes_on_at_another_replica_after_the_first_was_killed(
    start: Start, environment: dict[str, str]
) -> None:
    first = start(**environment)
    path = begin(first)
    content = b"".join([PIECE] * 30)
    with socket.create_connection(("127.0.0.1", first.port), DEADLINE_S) as connection:
        head = f"PATCH {path} HTTP/1.1\r\nHost: a\r\nUpload-Offset: 0\r\n"
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode())
        connection.sendall(content[:20_000_000])
        wait_until(lambda: int(first.http.head(path).headers["Upload-Offset"]) > 0, "some is kept")
        os.killpg(first.process.pid, 9)
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as owner:
        sql = (
            "SELECT FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # what PostgreSQL had got of it by then may still be written
        wait_until(lambda: owner.execute(sql).fetchone() is None, "its sessions have ended")
    second = start(**environment)
    offset = int(second.http.head(path).headers["Upload-Offset"])
    assert 0 < offset <= 20_000_000
    answer = add(
        second, path, offset, content[offset:], Upload_Complete="?1", Repr_Digest=digest(content)
    )
    assert answer.json()["verified"] is True


@pytest.mark.parametrize("checked", [False, True])
def test_130_megabytes_are_received_in_constant_memory(replica: Replica, checked: bool) -> None:
    whole = hashlib.sha256()
    for piece in many():
        whole.update(piece)
    field = digest_fields.write({"sha-256": whole.digest()})
    begin(replica, PIECE * 9)
    path = begin(replica)
    with Memory(replica) as memory:
        fields = {"Content_Digest": field} if checked else {}
        answer = add(replica, path, 0, many(), Upload_Complete="?1", Repr_Digest=field, **fields)
    assert answer.json()["size_bytes"] == PIECES * len(PIECE)
    assert answer.json()["verified"] is True
    assert memory.growth < GROWTH_BYTES


def test_slow_senders_leave_threads_to_others(start: Start, environment: dict[str, str]) -> None:
    replica = start(**environment, MILLRACE_APP_BODY_STREAMS="2")
    path = begin(replica)
    head = "POST /v1/hash/stream HTTP/1.1\r\nHost: a\r\n"
    announced = f"{head}Content-Length: 900000\r\n\r\nx".encode()
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n20000\r\n".encode() + b"x" * 0x1FFFF
    address = ("127.0.0.1", replica.port)

    def status() -> int:
        return replica.http.post("/v1/hash/stream", content=CONTENT).status_code

    with socket.create_connection(address, DEADLINE_S) as first:
        first.sendall(announced)
        second = socket.create_connection(address, DEADLINE_S)
        second.sendall(chunked)

        def taken() -> bool:
            """Ask for a place; the question may itself have taken the one of a slow sender."""
            nonlocal second
            if status() == 503:
                return True
            if select.select([second], [], [], 0)[0]:
                second.close()
                second = socket.create_connection(address, DEADLINE_S)
                second.sendall(chunked)
                time.sleep(0.1)
            return False

        try:
            wait_until(taken, "all places are taken")
            refused = add(replica, path, 0, CONTENT)
            assert problem(refused) == (503, "/problems/too-many-bodies")
            assert refused.headers["Retry-After"] == "1"
            small = replica.http.post("/v1/hash/stream", content=b"x" * 65_536)
            assert small.status_code == 200
        finally:
            second.close()
        wait_until(lambda: status() == 200, "a place is free")
    assert replica.http.head(path).headers["Upload-Offset"] == "0"


@pytest.mark.parametrize("framing", ["Content-Length: 3000000", "Transfer-Encoding: chunked"])
def test_who_is_refused_before_the_body_is_read_learns_that_the_connection_ends(
    replica: Replica, framing: str
) -> None:
    path = begin(replica, b"abc")
    with socket.create_connection(("127.0.0.1", replica.port), DEADLINE_S) as connection:
        head = f"PATCH {path} HTTP/1.1\r\nHost: a\r\nUpload-Offset: 1\r\n{framing}\r\n\r\n"
        connection.sendall(head.encode() + b"2dc6c0\r\n" + CONTENT[:2_000_000])
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert (response.status, response.headers["Connection"]) == (409, "close")
        assert response.read()


def test_a_large_one_is_verified_by_whoever_reads_it(
    start: Start, environment: dict[str, str]
) -> None:
    replica = start(**environment, MILLRACE_UPLOADS_VERIFY_BYTES="1000")
    path = begin(replica)
    add(replica, path, 0, CONTENT, Content_Digest=digest(CONTENT))
    answer = add(replica, path, len(CONTENT), b"", Upload_Complete="?1", Repr_Digest=digest(b"abc"))
    assert (answer.json()["complete"], answer.json()["verified"]) == (True, False)


def test_a_deleted_upload_is_unknown(replica: Replica) -> None:
    path = begin(replica, b"abc")
    assert replica.http.delete(path).status_code == 204
    unknown = (404, "/problems/upload-unknown")
    assert problem(replica.http.delete(path)) == unknown
    assert problem(replica.http.get(path)) == unknown
    assert problem(add(replica, path, 3, b"d")) == unknown


def test_a_complete_upload_does_not_grow(replica: Replica) -> None:
    path = begin(replica, b"abc", Upload_Complete="?1")
    assert problem(add(replica, path, 3, b"d")) == (409, "/problems/upload-complete")
    other = add(replica, path, 3, b"", Upload_Complete="?1", Repr_Digest=digest(b"abd"))
    assert problem(other) == (409, "/problems/upload-complete")


def test_limits_of_the_environment_hold(start: Start, environment: dict[str, str]) -> None:
    replica = start(**environment, MILLRACE_UPLOADS_MAX_BYTES="10", MILLRACE_UPLOADS_MAX_OPEN="1")
    assert begin(replica, b"x" * 10, Upload_Complete="?1")
    for content in (b"x" * 11, iter([b"x" * 6, b"x" * 5])):
        too_large = replica.http.post("/v1/uploads", content=content)
        assert problem(too_large) == (413, "/problems/body-too-large")
        assert "MILLRACE_UPLOADS_MAX_BYTES" in too_large.text
    path = begin(replica)
    refused = replica.http.post("/v1/uploads")
    assert problem(refused) == (503, "/problems/too-many-uploads")
    assert refused.headers["Retry-After"] == "60"
    assert add(replica, path, 0, b"x", Upload_Complete="?1").status_code == 200
    begin(replica)


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"Upload-Complete": "1"}, "Upload-Complete"),
        ({"Upload-Length": "-1"}, "Upload-Length"),
        ({"Upload-Length": "1e3"}, "Upload-Length"),
        ({"Upload-Length": "9" * 16}, "Upload-Length"),
        ({"Repr-Digest": digest(b"")}, "with the request that has Upload-Complete"),
        ({"Repr-Digest": digest(b"", "sha-512"), **COMPLETE}, "sha-256 in it"),
        ({"Content-Digest": "sha-256=nothing"}, "Content-Digest is malformed"),
        ({"Content-Disposition": f'attachment; filename="{"x" * 256}"'}, "Content-Disposition"),
    ],
)
def test_fields_that_do_not_fit_are_refused(
    replica: Replica, headers: dict[str, str], detail: str
) -> None:
    answer = replica.http.post("/v1/uploads", headers=headers)
    assert problem(answer) == (400, "/problems/bad-request")
    assert detail in answer.json()["detail"]


def test_an_offset_is_required_to_go_on(replica: Replica) -> None:
    answer = replica.http.patch(begin(replica), content=b"abc")
    assert answer.status_code == 400
    assert "Upload-Offset" in answer.json()["detail"]


def test_without_postgresql_uploads_are_away(alone: Replica) -> None:
    answer = alone.http.post("/v1/uploads", content=b"abc")
    assert problem(answer) == (503, "/problems/database-unavailable")


def test_the_documented_commands_work(replica: Replica, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "uploads.md").read_text()
    commands = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    assert len(commands) == 2
    (tmp_path / "big.csv").write_bytes(CONTENT * 3)
    for command in commands:
        script = command.replace("127.0.0.1:8080", f"127.0.0.1:{replica.port}")
        done = subprocess.run(
            ["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        answer = httpx.Response(200, text=done.stdout).json()
        assert answer["sha256"] == hashlib.sha256(CONTENT * 3).hexdigest()
        assert answer["complete"] is True

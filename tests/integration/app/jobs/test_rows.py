"""Rows of jobs come whole and in order, or it can be told that they did not."""

import csv
import io
import json
import socket
from typing import Any

import httpx
import psycopg
import pytest

from app.jobs.row_text import csv_line
from tests.integration.app.conftest import wait_until
from tests.integration.app.jobs.conftest import Desk
from tests.integration.app.jobs.written_kind import row

TASKS = [10, 0, 33, 1, 20]
ROWS = [row(number) for number in range(sum(TASKS))]


@pytest.fixture(scope="module")
def place(desk: Desk) -> str:
    """Where a job is told of that left these rows."""
    return desk.finished(tasks=TASKS)


def ndjson(text: str) -> tuple[Any, list[Any], Any]:
    """Return the first line, the rows, and the last line."""
    first, *rows, last = map(json.loads, text.splitlines())
    return first, rows, last


def test_rows_come_as_ndjson(desk: Desk, place: str) -> None:
    response = desk.http.get(f"{place}/result")
    assert response.headers["Content-Type"] == "application/x-ndjson"
    first, rows, last = ndjson(response.text)
    assert first == {
        "job": place.rpartition("/")[2], "stream": "result",
        "columns": [{"name": "row"}, {"name": "value"}],
    }  # fmt: skip
    assert rows == ROWS
    assert last == {"row_count": len(ROWS), "truncated": False, "complete": True, "state": "done"}


def test_rows_come_as_csv(desk: Desk, place: str) -> None:
    response = desk.http.get(f"{place}/result", headers={"Accept": "text/csv"})
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert response.text == "row,value\n" + "".join(map(csv_line, ROWS))
    read = list(csv.reader(io.StringIO(response.text, newline="")))
    assert len(read) == len(ROWS) + 1
    assert read[1 + 3 * 3 + 1] == ["10", 'a "quoted" one']


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_rows_come_compressed(desk: Desk, place: str, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding, "Accept": "text/csv"}
    with desk.http.stream("GET", f"{place}/result", headers=headers) as response:
        assert response.headers["Content-Encoding"] == encoding
        assert b"plain" not in b"".join(response.iter_raw())


def test_a_part_of_the_rows_is_the_part_of_the_rows(desk: Desk, place: str) -> None:
    for offset in (0, 1, 6, 7, 9, 10, 42, 43, 44, 63, 64, 65, 1000):
        for limit in (None, 0, 1, 7, 8, 50):
            parameters = {"offset": offset} | ({} if limit is None else {"limit": limit})
            response = desk.http.get(f"{place}/result", params=parameters)
            _, rows, last = ndjson(response.text)
            end = None if limit is None else offset + limit
            assert rows == ROWS[offset:end], parameters
            assert last["row_count"] == len(rows)
            assert last["truncated"] == (end is not None and end < len(ROWS))


def test_a_stream_without_rows_is_empty(desk: Desk, place: str) -> None:
    _, rows, last = ndjson(desk.http.get(f"{place}/errors").text)
    assert (rows, last["row_count"]) == ([], 0)
    assert desk.http.get(f"{place}/output/errors?format=csv").text == "row\n"


def test_trailers_tell_that_all_came(desk: Desk, place: str) -> None:
    address = desk.http.base_url
    with socket.create_connection((address.host, address.port)) as connection:
        request = f"GET {place}/result?format=csv&limit=5 HTTP/1.1\r\nHost: h\r\n"
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert "Trailer: Millrace-Row-Count, Millrace-Truncated, Millrace-Complete\r\n" in text
    assert text.endswith(
        "0\r\nMillrace-Row-Count: 5\r\nMillrace-Truncated: true\r\nMillrace-Complete: true\r\n\r\n"
    )


def test_what_is_not_done_is_given_only_to_who_asks_for_a_part(desk: Desk) -> None:
    place = desk.submit(tasks=[5, 4, 3, 2], slow=3)
    wait_until(lambda: desk.job(place)["progress"]["rows"] == 11, "all but the slow task are done")
    refused = desk.http.get(f"{place}/result")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/job-not-done")
    assert (refused.headers["Retry-After"], refused.json()["state"]) == ("1", "running")
    # rows of the third task belong before those of the fourth, which are there
    _, rows, last = ndjson(desk.http.get(f"{place}/result?partial=true").text)
    assert rows == [row(number) for number in range(9)]
    assert (last["truncated"], last["complete"], last["state"]) == (True, True, "running")
    desk.http.delete(place)
    refused = desk.http.get(f"{place}/result")
    assert refused.status_code == 409
    assert "Retry-After" not in refused.headers
    _, rows, last = ndjson(desk.http.get(f"{place}/result?partial=true").text)
    assert rows == [row(number) for number in (*range(9), 12, 13)]
    assert (last["truncated"], last["state"]) == (True, "cancelled")


def test_rows_that_vanish_while_they_are_read_break_the_answer_off(desk: Desk) -> None:
    place = desk.finished(tasks=[600_000], piece=10_000)
    job_id = place.rpartition("/")[2]
    received = b""
    headers = {"Accept-Encoding": "identity"}
    with desk.http.stream("GET", f"{place}/result", headers=headers) as response:
        pieces = response.iter_raw()
        received += next(pieces)
        with psycopg.connect(desk.database_url) as connection:
            connection.execute(
                "DELETE FROM millrace.job_output WHERE job_id = %s AND piece > 500000", [job_id]
            )
        rest: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            rest.extend(pieces)
    received += b"".join(rest)
    last = json.loads(received.splitlines()[-1])
    assert last["error"]["type"] == "/problems/job-not-done"

"""Files hashed row by row, compared with what csv, json and hashlib make of them."""

import base64
import csv
import gzip
import hashlib
import hmac
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashing.rows import encode_row
from jobs.hash_keys import fingerprint
from jobs.uploads import Uploads
from tests.integration.worker.rows.conftest import HASH, KEYS, Office
from tests.unit.worker.rows.reference_csv import read
from worker.rows import hash_rows


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files have many tasks, windows, and scans."""
    monkeypatch.setattr(hash_rows, "STRETCH_BYTES", 2000)
    monkeypatch.setattr(hash_rows, "STRETCHES_AT_ONCE", 3)
    monkeypatch.setattr(hash_rows, "HASH_WINDOW_BYTES", 500)
    monkeypatch.setattr(hash_rows, "GROUP_ROWS", 50)


def digest(values: Any) -> str:
    """Return the digest of a row as the documentation says how, for rows of text."""
    row = b"\x01" + len(values).to_bytes(4, "big")
    for value in values:
        content = value.encode()
        row += b"\x06" + len(content).to_bytes(8, "big") + content
    return hashlib.sha256(row).hexdigest()


def table(rows: int) -> list[list[str]]:
    notes = ["", "plain", 'with "quotes"', "with, comma", "two\nlines", "Jürgen", "李雷", "\r\n"]
    return [[str(n), notes[n % len(notes)], f"{n / 7:.3f}", "x" * (n % 50)] for n in range(rows)]


def written(rows: list[list[str]], **options: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, **{"lineterminator": "\n", **options}).writerows(rows)
    return text.getvalue().encode()


def test_rows_of_a_csv_have_the_digests_that_a_script_computes(office: Office) -> None:
    rows = table(1000)
    job_id = office.hash_rows(written([["id", "note", "amount", "x"], *rows]))
    office.work()
    assert office.job(job_id).state == "done"
    assert office.rows(job_id) == [(n, digest(row)) for n, row in enumerate(rows, 1)]
    assert office.rows(job_id, "errors") == []
    progress = office.job(job_id).progress
    assert (progress.rows, progress.expected_rows) == (1000, 1000)
    assert progress.bytes == progress.expected_bytes
    assert progress.total > 10
    assert office.outcome(job_id) == {
        "rows": 1000, "hashed_rows": 1000, "failed_rows": 0, "bytes": progress.bytes,
    }  # fmt: skip


def test_the_script_of_the_documentation_computes_the_same_digests(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_bytes(data := written([["a", "b", "c", "d"], *table(50)]))
    page = Path(__file__).parents[4] / "docs" / "hash_jobs.md"
    script = page.read_text().split("```python\n")[1].split("```")[0]
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    job_id = office.hash_rows(data)
    office.work()
    assert [found for _, found in office.rows(job_id)] == ran.stdout.splitlines()[1:]


def test_columns_are_chosen_by_name_or_by_place_and_keep_the_order_asked_for(
    office: Office,
) -> None:
    rows = table(30)
    named = office.hash_rows(written([["id", "note", "a", "x"], *rows]), columns=["note", "id"])
    placed = office.hash_rows(written(rows), {"header": False}, columns=[2, 1])
    office.work()
    expected = [(n, digest([row[1], row[0]])) for n, row in enumerate(rows, 1)]
    assert office.rows(named) == expected
    assert office.rows(placed) == expected


def test_broken_rows_are_told_with_line_and_reason_and_the_others_go_on(office: Office) -> None:
    data = (
        b'a,b\n1,one\n2\n3,"two\nlines"\n4,thr"ee\n5,"five"x\n6,\xff\n7,' + b"x" * 5000
        + b'\n8,"never closed\n9,nine\n'
    )  # fmt: skip
    job_id = office.hash_rows(data)
    office.work()
    assert office.job(job_id).state == "done"
    good = {1: ["1", "one"], 3: ["3", "two\nlines"], 9: ["9", "nine"]}
    assert office.rows(job_id) == [(n, digest(row)) for n, row in good.items()]
    errors = office.rows(job_id, "errors")
    assert [error[:3] for error in errors] == [
        (2, 3, "1 cells instead of 2"),
        (4, 6, "a quote inside of a cell that does not begin with one"),
        (5, 7, "text behind the quote that closes a cell"),
        (6, 8, "no valid utf-8: byte ff at 2 of the record"),
        (7, 9, "longer than 4096 bytes"),
        (8, 10, "a quote that is opened is not closed within 4096 bytes, or the file"),
    ]
    assert errors[3][3] == "6,\\xff"
    assert len(errors[4][3]) == 501
    assert office.outcome(job_id)["failed_rows"] == 6
    assert office.records(job_id)[3] == b"6,\xff"


PIECES = ['"', '""', ",", "\n", "\r\n", "\r", "a", "ü", "\0", '"x"', ',"y\nz",', "NULL", "b,c\n"]


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    st.lists(st.sampled_from(PIECES), max_size=40),
    st.sampled_from([None, "", "NULL"]),
    st.sampled_from(["canonical", "raw"]),
    st.integers(10, 100),
)
def test_any_file_gives_what_a_reader_byte_by_byte_gives(
    office: Office, pieces: list[str], null: str | None, row_encoding: str, stretch: int
) -> None:
    data = "".join(pieces).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hash_rows, "STRETCH_BYTES", stretch)
        job_id = office.hash_rows(data, {"header": False, "null": null}, row_encoding=row_encoding)
        office.work()
    assert office.job(job_id).state == "done"
    records = list(read(data, b",", b'"', 4096))
    fields = next((len(record.cells) for record in records if record.cells is not None), 0)
    expected, failed = [], []
    for number, record in enumerate(records, 1):
        if record.cells is None or (row_encoding == "canonical" and len(record.cells) != fields):
            failed.append((number, record.line, record.content))
            continue
        values = [
            None if not quoted and null is not None and cell == null.encode() else cell.decode()
            for cell, quoted in record.cells
        ]
        value = record.content if row_encoding == "raw" else encode_row(values)
        expected.append((number, hashlib.sha256(value).hexdigest()))
    assert office.rows(job_id) == expected
    found = [(row, line) for row, line, _, _ in office.rows(job_id, "errors")]
    assert found == [(row, line) for row, line, _ in failed]
    assert office.records(job_id) == [content for _, _, content in failed]


def test_attempts_that_were_killed_leave_no_row_twice(office: Office) -> None:
    rows = table(600)
    rows[100] = ["too few"]
    job_id = office.hash_rows(gzip.compress(written(rows)), {"header": False})
    office.work(kill_share=0.4, seed=7)
    assert office.job(job_id).state == "done"
    good = [(n, digest(row)) for n, row in enumerate(rows, 1) if len(row) == 4]
    assert office.rows(job_id) == good
    assert [row[0] for row in office.rows(job_id, "errors")] == [101]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_files_are_unpacked(office: Office, compression: str) -> None:
    rows = table(300)
    data = written([["a", "b", "c", "d"], *rows])
    packed = gzip.compress(data) if compression == "gzip" else _zstd(data)
    told = office.hash_rows(packed, compression=compression)
    guessed = office.hash_rows(packed)
    office.work()
    expected = [(n, digest(row)) for n, row in enumerate(rows, 1)]
    assert office.rows(told) == office.rows(guessed) == expected
    assert office.job(told).progress.expected_bytes == len(data)


def _zstd(data: bytes) -> bytes:
    # two frames, one behind the other
    codec = pa.Codec("zstd")
    return bytes(codec.compress(data[:70], asbytes=True) + codec.compress(data[70:], asbytes=True))


def test_unpacking_goes_on_where_a_killed_attempt_had_come(office: Office) -> None:
    rows = table(300)
    data = written(rows)
    job_id = office.hash_rows(gzip.compress(data), {"header": False})
    unpacked = hashlib.sha256(f"unpacked {job_id}".encode()).hexdigest()[:32]
    part = Uploads(office.own, new_id=lambda: unpacked)
    part.create()
    part.append(unpacked, 0, [data[:1000]])
    office.work()
    assert office.rows(job_id) == [(n, digest(row)) for n, row in enumerate(rows, 1)]
    upload = office.uploads.find(unpacked)
    assert upload is not None
    assert upload.size == len(data)
    assert upload.expires_at is None


def test_a_file_that_unpacks_to_more_than_is_allowed_fails_its_job(office: Office) -> None:
    job_id = office.hash_rows(gzip.compress(b"a\n" * 30_000_000))
    office.work()
    job = office.job(job_id)
    assert (job.state, job.error_class) == ("failed", "FileTooLarge")


@pytest.mark.parametrize(
    ("data", "changes", "error_class"),
    [
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20], {}, "FileUnreadable"),
        (b'a"b,c\n1,2\n', {}, "HeaderUnreadable"),
        (b"a,b\n1,2\n", {"columns": ["c"]}, "ColumnUnknown"),
        (b"a,a\n1,2\n", {"columns": ["a"]}, "ColumnUnknown"),
        (b"a,b\n1,2\n", {"row_encoding": "value"}, "ColumnUnknown"),
        (b"no parquet", {"format": "parquet"}, "FileUnreadable"),
    ],
)
def test_a_file_that_does_not_fit_its_job_fails_it_at_once(
    office: Office, data: bytes, changes: dict[str, Any], error_class: str
) -> None:
    job_id = office.hash_rows(data, **changes)
    office.work()
    job = office.job(job_id)
    assert (job.state, job.error_class) == ("failed", error_class)


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"a,b"])
def test_a_file_without_rows_has_an_empty_result(office: Office, data: bytes) -> None:
    job_id = office.hash_rows(data)
    office.work()
    assert office.job(job_id).state == "done"
    assert office.rows(job_id) == []
    assert office.outcome(job_id)["rows"] == 0


def test_the_value_alone_is_hashed_as_sha256sum_would(office: Office) -> None:
    job_id = office.hash_rows(
        "name;n\nJürgen;1\n;2\n".encode("windows-1252"),
        {"delimiter": ";", "encoding": "windows-1252"},
        columns=["name"],
        row_encoding="value",
    )
    office.work()
    expected = [hashlib.sha256(value.encode()).hexdigest() for value in ("Jürgen", "")]
    assert office.rows(job_id) == list(enumerate(expected, 1))


def test_a_mark_before_the_first_line_is_not_part_of_it(office: Office) -> None:
    job_id = office.hash_rows("a,b\n1,2\n".encode("utf-8-sig"), columns=["a"])
    office.work()
    assert office.rows(job_id) == [(1, digest(["1"]))]


def test_rows_of_ndjson_are_typed(office: Office) -> None:
    lines = [
        b'{"a": 1, "b": "x", "c": null}', b'{"c": true, "b": "\\u00fc", "a": 1.50}',
        b'{"a": 1}', b"[1]", b"", b'{"a": {"n": 1}, "b": 1, "c": 1}', b'{"a": NaN, "b": 1, "c": 1}',
        b'{"a": 1, "a": 2, "b": 1, "c": 1}', b'{"a": 1, "b": "\\ud800", "c": 1}', b"{\xff}",
        b"[" * 3000, b'{"a": 12345678901234567890, "b": 1e400, "c": false}',
        b'{"a": ' + b"9" * 4000 + b', "b": "", "c": 0}',
    ]  # fmt: skip
    job_id = office.hash_rows(b"\n".join(lines), format="ndjson", columns=["a", "b", "c"])
    office.work()
    good: dict[int, list[Any]] = {
        1: [1, "x", None], 2: [Decimal("1.50"), "ü", True],
        12: [12345678901234567890, Decimal("1e400"), False], 13: [int("9" * 4000), "", 0],
    }  # fmt: skip
    assert office.rows(job_id) == [
        (n, hashlib.sha256(encode_row(row)).hexdigest()) for n, row in good.items()
    ]
    reasons = {row: reason for row, _, reason, _ in office.rows(job_id, "errors")}
    assert reasons == {
        3: 'no member "b"',
        4: "no JSON object",
        5: "no JSON: Expecting value at character 0",
        6: 'member "a" is an object',
        7: "NaN is no JSON",
        8: 'member "a" stands there twice',
        9: 'member "b": half of a surrogate pair has no UTF-8.',
        10: "no valid utf-8: byte 1 of the record",
        11: "nested too deeply",
    }


def test_a_line_of_ndjson_can_be_hashed_as_it_is(office: Office) -> None:
    lines = [json.dumps({"n": n, "text": "ü" * (n % 30)}).encode() for n in range(300)]
    job_id = office.hash_rows(b"\r\n".join(lines), format="ndjson", row_encoding="raw")
    office.work()
    expected = [hashlib.sha256(line).hexdigest() for line in lines]
    assert office.rows(job_id) == list(enumerate(expected, 1))


def test_rows_of_parquet_are_typed(office: Office) -> None:
    rows: list[dict[str, Any]] = [
        {"n": n, "f": n / 3, "d": Decimal(n).scaleb(-2), "s": f"text {n}", "b": bytes([n % 256])}
        for n in range(300)
    ]
    rows[7] = dict.fromkeys(rows[0])
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=40)
    job_id = office.hash_rows(file.getvalue(), format="parquet")
    office.work()
    assert office.rows(job_id) == [
        (n, hashlib.sha256(encode_row(list(row.values()))).hexdigest())
        for n, row in enumerate(rows, 1)
    ]
    progress = office.job(job_id).progress
    assert (progress.rows, progress.bytes) == (300, len(file.getvalue()))


def test_times_of_parquet_are_text_with_all_digits_of_their_unit(office: Office) -> None:
    noon = datetime(2024, 1, 31, 12, 0, 0, 5000, tzinfo=UTC)
    columns = {
        "zone": pa.array([noon], pa.timestamp("us", "Europe/Berlin")),
        "plain": pa.array([noon.replace(tzinfo=None)], pa.timestamp("ms")),
        "day": pa.array([noon.date()], pa.date64()),
        "time": pa.array([noon.time()], pa.time64("ns")),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    job_id = office.hash_rows(file.getvalue(), format="parquet")
    office.work()
    texts = ["2024-01-31T12:00:00.005000Z", "2024-01-31T12:00:00.005", "2024-01-31"]
    assert office.rows(job_id) == [(1, digest([*texts, "12:00:00.005000000"]))]


def test_a_key_is_taken_from_the_settings(office: Office) -> None:
    key = KEYS["payroll"]
    wanted = HASH | {"key": "payroll", "key_fingerprint": fingerprint(key), "output": "base64url"}
    job_id = office.hash_rows(b"a\nx\n", row_encoding="value", hash=wanted)
    changed = office.hash_rows(b"a\nx\n", hash=wanted | {"key_fingerprint": fingerprint(b"old")})
    unknown = office.hash_rows(b"a\nx\n", hash=wanted | {"key": "other"})
    office.work()
    expected = base64.urlsafe_b64encode(hmac.digest(key, b"x", "sha256")).decode().rstrip("=")
    assert office.rows(job_id) == [(1, expected)]
    assert office.job(changed).error_class == "KeyChanged"
    assert office.job(unknown).error_class == "KeyUnknown"


def test_corrected_rows_take_their_places_and_those_still_broken_stay_failed(
    office: Office,
) -> None:
    rows = table(500)
    broken = {0: ["x"], 3: ["y"], 250: ["z"], 251: ["u"], 499: ["v"]}
    sent = [broken.get(n, row) for n, row in enumerate(rows)]
    job_id = office.hash_rows(written(sent), {"header": False})
    office.work()
    # the first record tells the number of cells: here all others differ from it
    assert office.outcome(job_id)["failed_rows"] == 495
    job_id = office.hash_rows(written([["a", "b", "c", "d"], *sent]))
    office.work()
    assert office.records(job_id) == [b"x", b"y", b"z", b"u", b"v"]
    office.correct(job_id, written([rows[0], rows[3], ["still"], rows[251], rows[499]]))
    office.work(kill_share=0.5, seed=3)
    assert office.job(job_id).state == "done"
    expected = [(n, digest(row)) for n, row in enumerate(rows, 1)]
    assert office.rows(job_id) == [one for one in expected if one[0] != 251]
    lines = [line for row, line, *_ in office.rows(job_id, "errors")]
    assert len(lines) == 1
    assert office.records(job_id) == [b"still"]
    assert office.outcome(job_id)["correction"] == {
        "records": 5, "failed_rows": 5, "applied": True,
    }  # fmt: skip
    office.correct(job_id, written([rows[250]]))
    office.work()
    assert office.rows(job_id) == expected
    assert office.rows(job_id, "errors") == []


def test_another_number_of_records_than_of_failed_rows_changes_nothing(office: Office) -> None:
    job_id = office.hash_rows(b"a,b\n1,2\n3\n4\n")
    office.work()
    before = office.rows(job_id)
    office.correct(job_id, b"3,3\n")
    office.work()
    assert office.job(job_id).state == "done"
    assert office.rows(job_id) == before
    assert office.outcome(job_id)["correction"]["applied"] is False

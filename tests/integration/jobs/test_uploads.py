"""Uploads as their owners see them: they grow, are completed, checked, read and forgotten."""

import hashlib
import io
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet
import pytest

from db.database import Database
from jobs.record import NewJob
from jobs.upload_chunks import CHUNK_BYTES, CHUNKS_AT_ONCE
from jobs.upload_clean_up import UploadCleanUp
from jobs.upload_errors import (
    DigestWrong,
    OffsetWrong,
    TooManyUploads,
    UploadComplete,
    UploadIncomplete,
    UploadInUse,
    UploadTooLarge,
    UploadUnknown,
    UploadUnverified,
)
from jobs.upload_record import Upload, UploadLimits
from jobs.uploads import Uploads
from tests.integration.jobs.conftest import Office

MIB = 1024 * 1024


@pytest.fixture
def uploads(database: Database) -> Uploads:
    return Uploads(database)


def _content(size: int, seed: int = 0) -> bytes:
    """Half of it compresses well, the other half not at all."""
    chance = random.Random(seed)
    return b"".join(
        chance.randbytes(MIB) if number % 2 else f"{number:07},".encode() * (MIB // 8)
        for number in range(size // MIB + 1)
    )[:size]


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def _found(uploads: Uploads, upload_id: str) -> Upload:
    upload = uploads.find(upload_id)
    assert upload is not None
    return upload


def _complete(uploads: Uploads, content: bytes) -> str:
    upload_id = uploads.create()
    uploads.append(upload_id, 0, [content])
    uploads.complete(upload_id)
    return upload_id


def _job_of(upload_id: str, uploads: Uploads, office: Office) -> str:
    with office.database.connection() as connection, connection.transaction():
        job_id, _ = office.jobs.create_in(connection, NewJob("programmed", {}))
        uploads.attach(connection, upload_id, job_id)
    return job_id


def test_what_came_in_many_requests_is_read_as_it_came(uploads: Uploads) -> None:
    content = _content(5 * MIB + 12_345)
    upload_id = uploads.create("a file.csv", len(content))
    offset = 0
    for size in (1, 3 * MIB, 7, MIB, len(content)):
        part = content[offset : offset + size]
        offset = uploads.append(upload_id, offset, _pieces(part, 77_777))
    uploads.complete(upload_id, hashlib.sha256(content).digest())
    upload = _found(uploads, upload_id)
    assert (upload.name, upload.size, upload.announced_size) == (
        "a file.csv",
        len(content),
        len(content),
    )
    assert upload.stored_size < 0.7 * len(content)
    assert upload.sha256 == hashlib.sha256(content).digest()
    assert b"".join(uploads.read(upload_id)) == content


def test_any_range_of_it_can_be_read(uploads: Uploads) -> None:
    content = _content(6 * MIB + 11)
    upload_id = _complete(uploads, content)
    chance = random.Random(1)
    ranges = [(chance.randrange(len(content)), chance.randrange(len(content))) for _ in range(40)]
    ranges += [(0, MIB), (MIB, 2 * MIB), (MIB - 1, MIB + 1), (len(content), len(content)), (0, 0)]
    for start, end in ranges:
        read = b"".join(uploads.read(upload_id, start, end))
        assert read == content[start:end], (start, end)
    assert b"".join(uploads.read(upload_id, 5, 10**12)) == content[5:]


def test_an_empty_file_is_one(uploads: Uploads) -> None:
    upload_id = uploads.create()
    uploads.complete(upload_id, hashlib.sha256().digest())
    assert list(uploads.read(upload_id)) == []
    assert uploads.open(upload_id).read() == b""


def test_parquet_is_read_in_place(uploads: Uploads) -> None:
    table = pa.table({"number": list(range(200_000)), "text": [f"{n:x}" for n in range(200_000)]})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, row_group_size=10_000, compression="none")
    upload_id = _complete(uploads, buffer.getvalue())
    file = pyarrow.parquet.ParquetFile(uploads.open(upload_id))
    assert file.read_row_group(13, columns=["text"]) == table.slice(130_000, 10_000).select(
        ["text"]
    )
    assert file.read() == table


def test_seeking_goes_where_files_go(uploads: Uploads) -> None:
    content = _content(3 * MIB)
    file = uploads.open(_complete(uploads, content))
    oracle = io.BytesIO(content)
    chance = random.Random(2)
    for _ in range(100):
        base, whence = chance.choice(
            [(0, io.SEEK_SET), (0, io.SEEK_CUR), (len(content), io.SEEK_END)]
        )
        to = chance.randrange(len(content)) - base if whence != io.SEEK_CUR else chance.randrange(9)
        size = chance.randrange(2 * MIB)
        assert file.seek(to, whence) == oracle.seek(to, whence)
        assert file.read(size) == oracle.read(size)
        assert file.tell() == oracle.tell()
    with pytest.raises(OSError, match="before the beginning"):
        file.seek(-1)


def test_of_two_who_go_on_from_one_offset_one_wins(uploads: Uploads) -> None:
    upload_id = uploads.create()
    gate = threading.Barrier(4)
    contents = [_content(4 * MIB, seed) for seed in range(4)]

    def append(content: bytes) -> tuple[int, str]:
        gate.wait()
        try:
            return uploads.append(upload_id, 0, _pieces(content, MIB)), "won"
        except OffsetWrong as error:
            return error.actual, "lost"

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(append, contents))
    assert sorted(ends) == [*[(4 * MIB, "lost")] * 3, (4 * MIB, "won")]
    (winner,) = [number for number, (_, how) in enumerate(ends) if how == "won"]
    uploads.complete(upload_id, hashlib.sha256(contents[winner]).digest())
    assert b"".join(uploads.read(upload_id)) == contents[winner]


@pytest.mark.parametrize("content", [b"", b"more"])
def test_a_wrong_offset_is_refused_with_the_right_one(uploads: Uploads, content: bytes) -> None:
    upload_id = uploads.create()
    uploads.append(upload_id, 0, [b"123"])
    with pytest.raises(OffsetWrong, match="has 3 bytes; go on from there instead of 5"):
        uploads.append(upload_id, 5, [content])
    assert _found(uploads, upload_id).size == 3


def test_what_came_before_the_connection_broke_stays(uploads: Uploads, database: Database) -> None:
    content = _content(CHUNKS_AT_ONCE * CHUNK_BYTES + 3 * MIB + 5)
    upload_id = uploads.create()

    def broken() -> Iterator[bytes]:
        yield from _pieces(content[:-MIB], 300_000)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        uploads.append(upload_id, 0, broken())
    offset = _found(uploads, upload_id).size
    assert offset == len(content) - MIB
    other_replica = Uploads(database)
    other_replica.append(upload_id, offset, [content[offset:]])
    other_replica.complete(upload_id, hashlib.sha256(content).digest())
    assert b"".join(uploads.read(upload_id)) == content


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_wrong_digest_is_found_when_the_upload_is_completed(
    database: Database, replicas: int
) -> None:
    several = [Uploads(database) for _ in range(replicas)]
    upload_id = several[0].create()
    for number in range(4):
        several[number % replicas].append(upload_id, number, [b"x"])
    expected, computed = hashlib.sha256(b"xxxy").digest(), hashlib.sha256(b"xxxx").digest()
    for _ in range(2):
        with pytest.raises(DigestWrong, match=computed.hex()):
            several[0].complete(upload_id, expected)
    assert not _found(several[0], upload_id).is_complete
    several[0].complete(upload_id, computed)
    assert _found(several[0], upload_id).is_verified


def test_who_received_all_of_it_knows_the_digest_without_being_told(uploads: Uploads) -> None:
    upload_id = uploads.create()
    for number in range(3):
        uploads.append(upload_id, number, [b"x"])
    uploads.complete(upload_id)
    assert _found(uploads, upload_id).sha256 == hashlib.sha256(b"xxx").digest()


def test_what_is_too_long_to_be_checked_at_once_is_not_read_before_it_is(
    database: Database,
) -> None:
    uploads = Uploads(database, UploadLimits(verify_bytes=9))

    def sent(digest: bytes) -> str:
        upload_id = Uploads(database).create()
        Uploads(database).append(upload_id, 0, [b"12345"])
        Uploads(database).append(upload_id, 5, [b"67890"])
        uploads.complete(upload_id, digest)
        with pytest.raises(UploadUnverified):
            uploads.read(upload_id)
        with pytest.raises(UploadUnverified):
            uploads.open(upload_id)
        return upload_id

    right, wrong = sent(hashlib.sha256(b"1234567890").digest()), sent(bytes(32))
    checks: list[None] = []
    uploads.verify(right, lambda: checks.append(None))
    assert checks
    assert b"".join(uploads.read(right)) == b"1234567890"
    for _ in range(2):
        with pytest.raises(DigestWrong):
            uploads.verify(wrong)
        with pytest.raises(UploadUnverified):
            uploads.read(wrong)


def test_what_is_complete_does_not_grow_and_may_be_completed_again(uploads: Uploads) -> None:
    upload_id = uploads.create()
    uploads.append(upload_id, 0, [b"123"])
    digest = hashlib.sha256(b"123").digest()
    for expected in (digest, None, digest):
        uploads.complete(upload_id, expected)
    with pytest.raises(UploadComplete):
        uploads.complete(upload_id, bytes(32))
    with pytest.raises(UploadComplete):
        uploads.append(upload_id, 3, [b"4"])
    assert b"".join(uploads.read(upload_id)) == b"123"


def test_what_is_incomplete_is_not_read(uploads: Uploads) -> None:
    upload_id = uploads.create()
    uploads.append(upload_id, 0, [b"123"])
    for attempt in (uploads.read, uploads.open, uploads.verify):
        with pytest.raises(UploadIncomplete):
            attempt(upload_id)


def test_an_announced_size_is_kept_to(uploads: Uploads) -> None:
    upload_id = uploads.create(announced_size=3)
    uploads.append(upload_id, 0, [b"12"])
    with pytest.raises(UploadIncomplete, match="2 of 3 bytes"):
        uploads.complete(upload_id)
    with pytest.raises(UploadTooLarge, match="announced with 3 bytes"):
        uploads.append(upload_id, 2, [b"34"])
    uploads.append(upload_id, 2, [b"3"])
    uploads.complete(upload_id)


def test_a_part_joins_whole_or_not_at_all(uploads: Uploads) -> None:
    content = _content(3 * MIB + 1)
    upload_id, part_id = uploads.create(), uploads.create()
    uploads.append(upload_id, 0, [content[:MIB]])
    uploads.append(part_id, 0, [content[MIB:]])
    with pytest.raises(OffsetWrong):
        uploads.join(upload_id, 5, part_id)
    assert uploads.join(upload_id, MIB, part_id) == len(content)
    assert uploads.find(part_id) is None
    with pytest.raises(UploadUnknown):
        uploads.join(upload_id, len(content), part_id)
    uploads.complete(upload_id, hashlib.sha256(content).digest())
    assert b"".join(uploads.read(upload_id)) == content


def test_limits_are_told(database: Database) -> None:
    limits = UploadLimits(max_bytes=10, max_open=2, total_bytes=5)
    uploads = Uploads(database, limits)
    with pytest.raises(UploadTooLarge, match="MILLRACE_UPLOADS_MAX_BYTES"):
        uploads.create(announced_size=11)
    first = uploads.create()
    with pytest.raises(UploadTooLarge, match="at most 10 bytes"):
        uploads.append(first, 0, [b"x" * 11])
    uploads.create()
    with pytest.raises(TooManyUploads, match="2 uploads are open"):
        uploads.create()
    uploads.append(first, 0, [b"12345"])
    uploads.complete(first)
    with pytest.raises(TooManyUploads, match="MILLRACE_UPLOADS_TOTAL_BYTES"):
        Uploads(database, limits).create()


def test_what_is_unknown_is_told(uploads: Uploads) -> None:
    assert uploads.find("none") is None
    calls: list[Callable[[], object]] = [
        lambda: uploads.append("none", 0, []),
        lambda: uploads.append("none", 0, [b"1"]),
        lambda: uploads.complete("none"),
        lambda: uploads.verify("none"),
        lambda: uploads.read("none"),
        lambda: uploads.open("none"),
        lambda: uploads.delete("none"),
    ]
    for call in calls:
        with pytest.raises(UploadUnknown, match="'none'"):
            call()


def test_a_deleted_upload_is_gone_at_once_and_what_it_took_soon(
    uploads: Uploads, office: Office
) -> None:
    upload_id = _complete(uploads, _content(5 * MIB))
    reading = uploads.read(upload_id)
    next(reading)
    uploads.delete(upload_id)
    assert uploads.find(upload_id) is None
    assert UploadCleanUp(office.database).step() == 1
    assert office.query("SELECT count(*) FROM millrace.upload_chunks") == [("0",)]
    assert office.query("SELECT count(*) FROM millrace.uploads") == [("0",)]
    with pytest.raises(UploadUnknown):
        b"".join(reading)


def test_a_large_one_is_given_back_in_steps(uploads: Uploads, office: Office) -> None:
    upload_id = uploads.create()
    with office.database.connection() as connection:
        connection.execute(
            """INSERT INTO upload_chunks
               SELECT $1, start, 1, false, 'x' FROM generate_series(1, 1300) AS start""",
            [upload_id],
        )
    uploads.delete(upload_id)
    clean_up = UploadCleanUp(office.database)
    assert [clean_up.step() for _ in range(4)] == [0, 0, 1, 0]


def test_what_nobody_adds_to_expires(database: Database, office: Office) -> None:
    abandoned = Uploads(database, UploadLimits(retention_s=0)).create()
    growing = Uploads(database, UploadLimits(retention_s=0)).create()
    Uploads(database).append(growing, 0, [b"1"])
    assert UploadCleanUp(database).step() == 1
    assert Uploads(database).find(abandoned) is None
    assert Uploads(database).find(growing) is not None


def test_an_upload_is_kept_as_long_as_the_jobs_that_read_it(
    uploads: Uploads, office: Office, database: Database
) -> None:
    upload_id = _complete(uploads, b"123")
    clean_up = UploadCleanUp(database)
    job_ids = [_job_of(upload_id, uploads, office) for _ in range(2)]
    assert _found(uploads, upload_id).expires_at is None
    for job_id in job_ids:
        assert clean_up.step() == 0
        with pytest.raises(UploadInUse, match="reads the upload"):
            uploads.delete(upload_id)
        office.query(f"DELETE FROM millrace.jobs WHERE id = '{job_id}' RETURNING id")
    assert clean_up.step() == 1
    assert uploads.find(upload_id) is None


def test_an_upload_of_finished_jobs_may_be_deleted(uploads: Uploads, office: Office) -> None:
    upload_id = _complete(uploads, b"123")
    office.jobs.cancel(_job_of(upload_id, uploads, office))
    uploads.delete(upload_id)
    assert uploads.find(upload_id) is None


def test_only_what_is_complete_is_attached(uploads: Uploads, office: Office) -> None:
    upload_id = uploads.create()
    for unfit, refusal in ((upload_id, UploadIncomplete), ("none", UploadUnknown)):
        with pytest.raises(refusal):
            _job_of(unfit, uploads, office)
    assert office.query("SELECT count(*) FROM millrace.jobs") == [("0",)]

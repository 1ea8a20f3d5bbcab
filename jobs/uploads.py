"""Files that come in as many requests as it takes, kept in PostgreSQL in chunks."""

import hashlib
import io
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from db.database import Database
from db.pool import Connection
from jobs import upload_sql
from jobs.upload_chunks import Chunk, groups, insert, select
from jobs.upload_digests import RunningDigests
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
from jobs.upload_file import UploadFile
from jobs.upload_record import Upload, UploadLimits

CHUNKS_READ_AT_ONCE = 4
# a sum over all uploads, so not asked for with each chunk
TOTAL_FRESH_S = 5.0


def new_upload_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(16)


class Uploads:
    """Every method raises db.errors when PostgreSQL is away, and UploadUnknown where it says so."""

    def __init__(
        self,
        database: Database,
        limits: UploadLimits = UploadLimits(),  # noqa: B008 - frozen
        new_id: Callable[[], str] = new_upload_id,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self.limits = limits
        self._new_id = new_id
        self._clock = clock
        self._digests = RunningDigests()
        self._stored = (-TOTAL_FRESH_S, 0)  # by the clock, and how much it was

    def create(self, name: str | None = None, announced_size: int | None = None) -> str:
        """Begin an upload; return its id.  Raises UploadTooLarge, TooManyUploads."""
        self._check_size(announced_size or 0)
        self._check_total()
        upload_id = self._new_id()
        announced = None if announced_size is None else str(announced_size)
        most = str(self.limits.max_open)
        values = [upload_id, name, announced, str(self.limits.retention_s), most]
        with self._database.connection() as connection:
            if connection.execute(upload_sql.CREATE, values).fetchone() is None:
                raise TooManyUploads(
                    f"{most} uploads are open already; complete or delete some, or try again later."
                )
        return upload_id

    def append(self, upload_id: str, offset: int, pieces: Iterable[bytes]) -> int:
        """Add bytes behind the first `offset`; return how many there are then.

        Each few MiB are durable by themselves: what had come before something failed stays.
        Raises OffsetWrong, UploadComplete, UploadTooLarge, TooManyUploads, UploadUnknown, and what
        the pieces raise.
        """
        digest = self._digests.take(upload_id, offset)
        given = offset
        try:
            for group in groups(pieces):
                self._check_size(offset + sum(map(len, group)))
                self._check_total()
                self._write(upload_id, offset, group)
                for content in group:
                    offset += len(content)
                    if digest is not None:
                        digest.update(content)
        finally:
            if digest is not None:
                self._digests.keep(upload_id, offset, digest)
        if offset == given:
            self.expect(upload_id, offset)
        return offset

    def expect(self, upload_id: str, offset: int, more: int = 0) -> None:
        """Make sure that `more` bytes may be added behind the first `offset`, before they come.

        Raises OffsetWrong, UploadComplete, UploadTooLarge, UploadUnknown.
        """
        upload = self._known(upload_id)
        if upload.size != offset:
            raise OffsetWrong(offset, upload.size)
        if more:
            self._check_size(offset + more)
            _check_growth(upload, more)

    def join(self, upload_id: str, offset: int, part_id: str) -> int:
        """Add all bytes of another upload, which is none any more; return how many there are then.

        All are added or none.  Raises as `append`; UploadUnknown also for the part.
        """
        with self._database.connection() as connection, connection.transaction():
            row = connection.execute(upload_sql.FIND.encode(), [part_id]).fetchone()
            if row is None:
                raise UploadUnknown(part_id)
            part = Upload.read(row)
            self._check_size(offset + part.size)
            self._grow(connection, upload_id, offset, part.size, part.stored_size)
            connection.execute(upload_sql.MOVE_CHUNKS, [part_id, upload_id, str(offset)])
            connection.execute(upload_sql.DELETE, [part_id])
        return offset + part.size

    def complete(self, upload_id: str, sha256: bytes | None = None) -> None:
        """Declare that all bytes have come; nothing can be added then.

        Given their digest, they are checked now, unless that would take long: then nobody can read
        them before `verify`.  What is complete may be completed again, alike.  Raises DigestWrong
        (and the upload stays as it is), UploadIncomplete when fewer bytes have come than were
        announced, UploadUnknown.
        """
        upload = self._known(upload_id)
        if upload.is_complete:
            _require_same(upload, sha256)
            return
        if upload.announced_size not in (None, upload.size):
            raise UploadIncomplete(
                f"{upload.size} of {upload.announced_size} bytes have come; send the rest first."
            )
        running = self._digests.take(upload_id, upload.size)
        computed = None if running is None else running.digest()
        if computed is None and sha256 is not None and upload.size <= self.limits.verify_bytes:
            computed = self._digest(upload)
        if computed is not None and sha256 not in (None, computed):
            raise DigestWrong(sha256 or b"", computed)
        is_verified = sha256 is None or computed is not None
        known = sha256 or computed
        values = [
            upload_id, str(upload.size), None if known is None else known.hex(),
            str(is_verified).lower(),
        ]  # fmt: skip
        with self._database.connection() as connection:
            is_done = connection.execute(upload_sql.COMPLETE, values).fetchone() is not None
        if not is_done:  # somebody has added to it, or completed or deleted it, in between
            now = self._known(upload_id)
            if not now.is_complete:
                raise OffsetWrong(upload.size, now.size)
            _require_same(now, sha256)

    def verify(self, upload_id: str, check: Callable[[], None] = lambda: None) -> None:
        """Read a complete upload whose digest has not been checked, and check it.

        Does nothing where it has been.  Calls `check` every few MiB.  Raises DigestWrong,
        UploadIncomplete, UploadUnknown, and what `check` raises.
        """
        upload = self._complete(upload_id)
        if upload.is_verified or upload.sha256 is None:
            return
        computed = self._digest(upload, check)
        if computed != upload.sha256:
            raise DigestWrong(upload.sha256, computed)
        with self._database.connection() as connection:
            connection.execute(upload_sql.VERIFIED, [upload_id])

    def find(self, upload_id: str) -> Upload | None:
        """Return the upload; None if there is none, or no more."""
        with self._database.connection() as connection:
            row = connection.execute(upload_sql.FIND.encode(), [upload_id]).fetchone()
        return None if row is None else Upload.read(row)

    def read(self, upload_id: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Return the bytes from `start` to before `end` (None: the last), about 1 MiB at once.

        Raises UploadIncomplete, UploadUnverified, UploadUnknown (also later, if it is deleted).
        """
        upload = self._readable(upload_id)
        end = upload.size if end is None else min(end, upload.size)
        return self._contents(upload_id, start, end)

    def open(self, upload_id: str) -> io.RawIOBase:
        """Return the upload as a file that can be read and sought.  Raises as `read`."""
        upload = self._readable(upload_id)
        return UploadFile(lambda start: next(self._chunks(upload_id, start, 1)), upload.size)

    def delete(self, upload_id: str) -> None:
        """Forget the upload.  Raises UploadUnknown; UploadInUse while a job needs it."""
        with self._database.connection() as connection, connection.transaction():
            if connection.execute(upload_sql.LOCK_TO_DELETE, [upload_id]).fetchone() is None:
                raise UploadUnknown(upload_id)
            user = connection.execute(upload_sql.IN_USE, [upload_id]).fetchone()
            if user is not None:
                raise UploadInUse(f"The job {user[0]} reads the upload; cancel it first.")
            connection.execute(upload_sql.MARK_DELETED, [upload_id])

    def attach(self, connection: Connection, upload_id: str, job_id: str) -> None:
        """Keep the upload as long as the job, which the caller's transaction has just written.

        Raises UploadUnknown, UploadIncomplete.
        """
        row = connection.execute(upload_sql.LOCK_TO_USE.encode(), [upload_id]).fetchone()
        _require_complete(upload_id, None if row is None else Upload.read(row))
        connection.execute(upload_sql.USE, [upload_id, job_id])
        connection.execute(upload_sql.KEEP, [upload_id])

    def _write(self, upload_id: str, offset: int, group: Sequence[bytes]) -> None:
        chunks = [Chunk.pack(content) for content in group]
        size = sum(chunk.size for chunk in chunks)
        stored = sum(len(chunk.data) for chunk in chunks)
        with self._database.connection() as connection, connection.transaction():
            self._grow(connection, upload_id, offset, size, stored)
            insert(connection, upload_id, offset, chunks)

    def _grow(
        self, connection: Connection, upload_id: str, offset: int, size: int, stored: int
    ) -> None:
        retention = str(self.limits.retention_s)
        values = [upload_id, str(offset), str(size), str(stored), retention]
        if connection.execute(upload_sql.GROW, values).fetchone() is not None:
            return
        row = connection.execute(upload_sql.FIND.encode(), [upload_id]).fetchone()
        if row is None:
            raise UploadUnknown(upload_id)
        upload = Upload.read(row)
        _check_growth(upload, size)
        raise OffsetWrong(offset, upload.size)

    def _digest(self, upload: Upload, check: Callable[[], None] = lambda: None) -> bytes:
        digest = hashlib.sha256()
        for content in self._contents(upload.id, 0, upload.size):
            digest.update(content)
            check()
        return digest.digest()

    def _contents(self, upload_id: str, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            for begin, chunk in self._chunks(upload_id, start, CHUNKS_READ_AT_ONCE):
                content = chunk.content()
                if begin < start or begin + chunk.size > end:
                    content = content[start - begin : end - begin]
                yield content
                start = begin + chunk.size
                if start >= end:
                    return

    def _chunks(self, upload_id: str, start: int, most: int) -> Iterator[tuple[int, Chunk]]:
        with self._database.connection() as connection:
            found = select(connection, upload_id, start, most)
        if not found or not found[0][0] <= start < found[0][0] + found[0][1].size:
            raise UploadUnknown(upload_id)  # it is being deleted
        for begin, chunk in found:
            if begin > start:
                raise UploadUnknown(upload_id)
            yield begin, chunk
            start = begin + chunk.size

    def _known(self, upload_id: str) -> Upload:
        upload = self.find(upload_id)
        if upload is None:
            raise UploadUnknown(upload_id)
        return upload

    def _complete(self, upload_id: str) -> Upload:
        return _require_complete(upload_id, self.find(upload_id))

    def _readable(self, upload_id: str) -> Upload:
        upload = self._complete(upload_id)
        if not upload.is_verified:
            raise UploadUnverified("The upload's digest has not been checked yet; verify it first.")
        return upload

    def _check_size(self, size: int) -> None:
        if size > self.limits.max_bytes:
            raise UploadTooLarge(
                f"An upload has at most {self.limits.max_bytes} bytes (MILLRACE_UPLOADS_MAX_BYTES)."
            )

    def _check_total(self) -> None:
        at, stored = self._stored
        if self._clock() - at >= TOTAL_FRESH_S:
            with self._database.connection() as connection:
                row = connection.execute(upload_sql.STORED).fetchone()
            stored = int((row or ("0",))[0] or 0)
            self._stored = (self._clock(), stored)
        if stored >= self.limits.total_bytes:
            raise TooManyUploads(
                f"Uploads take {stored} bytes already, and may take {self.limits.total_bytes} "
                "(MILLRACE_UPLOADS_TOTAL_BYTES). Delete some, or try again later."
            )


def _check_growth(upload: Upload, more: int) -> None:
    if upload.is_complete:
        raise UploadComplete("The upload is complete; make another one for other bytes.")
    if upload.announced_size is not None and upload.size + more > upload.announced_size:
        raise UploadTooLarge(
            f"The upload was announced with {upload.announced_size} bytes, and more come."
        )


def _require_same(upload: Upload, sha256: bytes | None) -> None:
    if sha256 not in (None, upload.sha256):
        raise UploadComplete("The upload was completed before, with another digest or without one.")


def _require_complete(upload_id: str, upload: Upload | None) -> Upload:
    if upload is None:
        raise UploadUnknown(upload_id)
    if not upload.is_complete:
        raise UploadIncomplete("The upload is not complete; send the rest of it first.")
    return upload

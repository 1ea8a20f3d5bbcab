"""Requests that bring parts of files: nothing of one counts that is not what its digest says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from app.hashes import digest_fields
from db.errors import DatabaseError
from jobs.upload_errors import UploadError
from jobs.uploads import Uploads


class Several(Protocol):
    """Digests by several algorithms, in one pass."""

    def update(self, data: bytes, /) -> None:
        """Go on with these bytes."""

    def digests(self) -> Mapping[str, bytes]:
        """Return the digests by algorithm."""


class Receiving:
    """Adds to uploads.  `several` begins digests by our names of the algorithms.

    Raises what Uploads does, Problem for a wrong Content-Digest, and what the pieces raise.
    """

    def __init__(self, uploads: Uploads, several: Callable[[list[str]], Several]) -> None:
        self._uploads = uploads
        self._several = several

    @contextmanager
    def begun(self, name: str | None = None, announced_size: int | None = None) -> Iterator[str]:
        """Begin an upload, and give its id; forget it when the block fails.

        Whoever did not get the answer to its first request does not know its id.
        """
        upload_id = self._uploads.create(name, announced_size)
        try:
            yield upload_id
        except BaseException:
            with suppress(DatabaseError, UploadError):
                self._uploads.delete(upload_id)
            raise

    def add(
        self, upload_id: str, offset: int, pieces: Iterable[bytes], expected: Mapping[str, bytes]
    ) -> None:
        """Add to an upload.  `expected` are digests of the pieces, by RFC 9530's names.

        With a digest, all pieces count or none: they wait in an upload of their own until it is
        known to be right.  Without, what came before a failure stays.
        """
        if not expected:
            self._uploads.append(upload_id, offset, pieces)
            return
        with self.begun() as part_id:
            self.add_all(part_id, pieces, expected)
            self._uploads.join(upload_id, offset, part_id)

    def add_all(
        self, upload_id: str, pieces: Iterable[bytes], expected: Mapping[str, bytes]
    ) -> None:
        """Add to an upload that is still empty, and of no use if a digest is wrong."""
        several = self._several([digest_fields.ALGORITHMS[name] for name in expected])
        self._uploads.append(upload_id, 0, _hashed(pieces, several) if expected else pieces)
        announced = [("Content-Digest", name, digest) for name, digest in expected.items()]
        digest_fields.check(announced, several.digests())


def _hashed(pieces: Iterable[bytes], several: Several) -> Iterator[bytes]:
    for piece in pieces:
        several.update(piece)
        yield piece

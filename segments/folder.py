"""The files of segments: where they are, how they come to be there for good, and go.

Names are keys of three parts, `database/table/segment.duckdb`, as an object store would have them.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segments.errors import FolderFull, SegmentDamaged

UNFINISHED = ".unfinished"


class SegmentFolder:
    """A folder of files of at most `max_bytes` together; on one file system."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._verified: dict[str, tuple[int, int, int]] = {}

    def path(self, name: str) -> Path:
        """Return where the file of this name is, or would be."""
        return self._root / name

    def used_bytes(self) -> int:
        """Return how much all files take, finished or not."""
        return sum(size for _, size, _ in self.files())

    def room(self) -> int:
        """Return how many bytes may be added: by the limit, and by what the disk has."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds what tables hold
        return min(self._max_bytes - self.used_bytes(), shutil.disk_usage(self._root).free)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a temporary path; on leaving what lies there is on disk for good, under `name`.

        After an error nothing is left.  Whoever is killed meanwhile leaves a file that ends with
        UNFINISHED, or one that nobody lists: both are removed by the clean-up.
        """
        final = self.path(name)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(final.name + UNFINISHED)
        try:
            yield temporary
            _sync(temporary)
            temporary.rename(final)
            for folder in (final.parent, final.parent.parent, self._root):
                _sync(folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def check_room(self, wanted: int) -> None:
        """Raise FolderFull unless `wanted` bytes may be added."""
        room = self.room()
        if wanted > room:
            raise FolderFull(
                f"Segments in {self._root} have room for {max(0, room)} bytes more. "
                "Raise MILLRACE_SEGMENTS_MAX_MB, make room, or accelerate fewer tables."
            )

    def verified(self, name: str, byte_size: int, sha256: str) -> Path:
        """Return the path of a file that is what was written; its bytes are read but once.

        Raises SegmentDamaged.
        """
        path = self.path(name)
        try:
            found = path.stat()
            mark = (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._verified.get(name) == mark:
                return path
            if found.st_size != byte_size or digest(path) != sha256:
                raise SegmentDamaged(f"The segment {path} is not what was written.")
        except OSError as error:
            raise SegmentDamaged(f"The segment {path} cannot be read: {error}.") from error
        self._verified[name] = mark
        return path

    def forget(self, name: str) -> None:
        """Have the file verified again before its next use."""
        self._verified.pop(name, None)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._verified.pop(name, None)
        self.path(name).unlink(missing_ok=True)

    def remove_table(self, name: str) -> None:
        """Remove a table's folder (`database/table`), if nothing is in it."""
        with contextlib.suppress(OSError):
            self.path(name).rmdir()

    def tables(self, database: str) -> list[str]:
        """Return the folders of this database's tables, as `database/table`."""
        return [f"{database}/{path.name}" for path in self.path(database).glob("*")]

    def files(self, database: str = "*") -> Iterator[tuple[str, int, float]]:
        """Yield name, size in bytes, and age in seconds of each file, of one database or all."""
        now = time.time()
        for path in self._root.glob(f"{database}/*/*"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            yield str(path.relative_to(self._root)), found.st_size, now - found.st_mtime


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

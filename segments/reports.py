"""What keepers tell of their work."""

from dataclasses import dataclass
from typing import Protocol

# why a build can fail, and what is then the matter
CAUSES = {
    "folder_full": "segments take MILLRACE_SEGMENTS_MAX_MB",
    "disk_full": "the file system, or a quota, has no room",
    "folder": "the folder cannot be written",
    "row_too_large": "a row is larger than MILLRACE_SEGMENTS_READ_MB",
    "nothing_to_copy": "no column of the table can be copied exactly",
    "untracked": "the table's changes may go unnoticed",
    "sql": "PostgreSQL refused, or ended, the reading of the table",
}


@dataclass(frozen=True)
class Built:
    """A segment that was published: its id, rows, and the size of its file in bytes."""

    segment: int
    row_count: int
    byte_size: int


class Reports(Protocol):
    """Hears of it; must neither wait nor fail."""

    def event(self, name: str, cause: str, **facts: object) -> None:
        """Take note of a change of state."""

    def built(self, built: Built, seconds: float) -> None:
        """Take note of a segment."""

    def failed(self, cause: str) -> None:
        """Take note that a build failed; `cause` is one of CAUSES."""

    def removed(self, files: int) -> None:
        """Take note of files that the clean-up removed."""

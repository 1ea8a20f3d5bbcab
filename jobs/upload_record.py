"""An upload as its owner sees it, and what bounds uploads."""

from dataclasses import dataclass
from typing import Self

from db.pool import Row

GIB = 1024**3


@dataclass(frozen=True)
class UploadLimits:
    """What bounds uploads.

    `retention_s` is how long one is kept that nobody adds to and no job reads; `verify_bytes`
    how large one may be whose digest is checked while its client waits.  `total_bytes` bounds
    what all take together, as they are kept.
    """

    max_bytes: int = 100 * GIB
    total_bytes: int = 500 * GIB
    max_open: int = 1000
    retention_s: float = 86_400.0
    verify_bytes: int = 2 * GIB


@dataclass(frozen=True)
class Upload:
    """One upload: `size` bytes have come, and take `stored_size`.  Times are ISO 8601 in UTC.

    `sha256` is None where no digest came with it and none is known.  Only what is complete and
    verified can be read.
    """

    id: str
    size: int
    stored_size: int
    announced_size: int | None
    is_complete: bool
    is_verified: bool
    sha256: bytes | None
    name: str | None
    created_at: str
    changed_at: str
    expires_at: str | None

    @classmethod
    def read(cls, row: Row) -> Self:
        """Return the upload of a row of upload_sql.COLUMNS."""
        upload_id, size, stored, announced, is_complete, is_verified, sha256, name, *times = row
        created_at, changed_at, expires_at = times
        return cls(
            upload_id or "",
            int(size or 0),
            int(stored or 0),
            None if announced is None else int(announced),
            is_complete == "t",
            is_verified == "t",
            None if sha256 is None else bytes.fromhex(sha256),
            name,
            created_at or "",
            changed_at or "",
            expires_at,
        )

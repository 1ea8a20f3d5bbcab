"""SHA-256 of uploads that grow by way of this process, so that no byte need be read again."""

import hashlib
import threading
from collections import OrderedDict
from typing import Protocol

MOST = 1024


class Digest(Protocol):
    """What hashlib returns."""

    def update(self, data: bytes, /) -> None:
        """Go on with these bytes."""

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""


class RunningDigests:
    """Digests of the first so many bytes of uploads; of the MOST that have grown latest.

    An upload that also grows by way of another process has none here any more.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._digests: OrderedDict[str, tuple[int, Digest]] = OrderedDict()

    def take(self, upload_id: str, offset: int) -> Digest | None:
        """Return the digest of the first `offset` bytes, for one caller alone; None if unknown."""
        with self._lock:
            found = self._digests.pop(upload_id, None)
        if found is not None and found[0] == offset:
            return found[1]
        return hashlib.sha256() if offset == 0 else None

    def keep(self, upload_id: str, offset: int, digest: Digest) -> None:
        """Keep the digest of the first `offset` bytes, all of them committed."""
        with self._lock:
            self._digests[upload_id] = (offset, digest)
            while len(self._digests) > self._most:
                self._digests.popitem(last=False)

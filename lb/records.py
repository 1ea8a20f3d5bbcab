"""What is remembered of recent requests, so that an operator can ask what became of one."""

from collections import deque
from typing import NamedTuple

from lb.backend.backend import Backend
from lb.wire.request_head import RequestHead


class Record(NamedTuple):
    """One request that is over.

    `fields`: the limiter's header lines.  `candidates`: backends in use when it ended; `tried`:
    those at which attempts failed, in order; `backend`: the last one, if any.  `status` 0: the
    client went away.  `started`, `answered` and `ended` are of the proxy's clock; `answered`: when
    the answer's first byte came, or 0.0.  `trace_id`: empty where it has none.
    """

    request_id: bytes
    client: str
    head: RequestHead
    fields: bytes
    candidates: tuple[Backend, ...]
    tried: tuple[Backend, ...]
    backend: Backend | None
    status: int
    sent: int
    started: float
    answered: float
    ended: float
    retries: int
    trace_id: str


# A Record as a plain tuple: making one costs a third, and most are never looked at.
Members = tuple[
    bytes, str, RequestHead, bytes, tuple[Backend, ...], tuple[Backend, ...], Backend | None,
    int, int, float, float, float, int, str,
]  # fmt: skip


class Records:
    """The latest requests, at most `size`."""

    def __init__(self, size: int) -> None:
        self._records: deque[Members] = deque(maxlen=size)
        self.add = self._records.append

    def find(self, request_id: bytes) -> Record | None:
        """Return the latest request with that id, if it is remembered."""
        for record in reversed(self._records):
            if record[0] == request_id:
                return Record(*record)
        return None

"""One JSON line a request, gathered and written in batches."""

import json
import select
from collections.abc import Callable, Iterator
from queue import Full, Queue
from threading import Thread
from typing import BinaryIO, Literal

# sampled: like errors, and a part of the others
Verbosity = Literal["off", "errors", "sampled", "full"]

_BATCH_BYTES = 65536
_MOST_BATCHES = 64


class AccessLog:
    """Lines wait in memory until flush(), which a thread then writes.

    Whoever reads our output may stall; requests must not.  What is more than 4 MiB behind is
    dropped, and counted in `dropped`.  `sample`: the part of the requests without an error that
    is logged when that is sampled; `random` returns numbers from 0 to below 1.
    """

    def __init__(
        self,
        verbosity: Verbosity,
        output: BinaryIO,
        *,
        sample: float,
        random: Callable[[], float],
        now_text: Callable[[], str],
    ) -> None:
        self._lowest = {"off": 1000, "errors": 500, "sampled": 500, "full": 0}[verbosity]
        self._sample = sample if verbosity == "sampled" else 0.0
        self._random = random
        self._now_text = now_text
        self._lines: list[bytes] = []
        self._size = 0
        self._batches: Queue[bytes | None] = Queue(_MOST_BATCHES)
        self._output = output
        self._thread: Thread | None = None
        self.dropped = 0

    def takes(self, status: int) -> bool:
        """Tell whether an answer with this status is logged; 0: the client went away."""
        if status >= self._lowest:
            return True
        return self._sample > 0 and self._random() < self._sample

    def write(
        self,
        *,
        request_id: bytes,
        client: str,
        method: bytes,
        target: bytes,
        status: int,
        sent: int,
        seconds: float,
        backend: str | None,
        retries: int,
        trace_id: str = "",
    ) -> None:
        """Add the line of a request.  The query string is left out: it may hold secrets."""
        fields = {
            "message": "request",
            "timestamp": self._now_text(),
            "request_id": request_id.decode(),
            "client": client,
            "method": method.decode(),
            "path": target.partition(b"?")[0].decode("latin-1"),
            "status": status,
            "bytes": sent,
            "duration_ms": round(seconds * 1000, 3),
            "backend": backend,
            "retries": retries,
        }
        if trace_id:
            fields["trace_id"] = trace_id
        line = json.dumps(fields).encode()
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand what has gathered to the writing thread."""
        if not self._lines:
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()
        batch = b"\n".join(self._lines) + b"\n"
        try:
            self._batches.put_nowait(batch)
        except Full:
            self.dropped += len(self._lines)
        self._lines = []
        self._size = 0

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is left, waiting at most `timeout_s` for a slow reader."""
        self.flush()
        if self._thread is not None:
            try:
                self._batches.put(None, timeout=timeout_s)
            except Full:
                return
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                for piece in _pieces(batch):
                    self._output.write(piece)
                    self._output.flush()
            except (OSError, ValueError):
                return  # nobody reads any more


def _pieces(batch: bytes) -> Iterator[bytes]:
    """Yield whole lines, as many at a time as a pipe takes in one go.

    Several processes write to the same one, and would cut each other's lines.
    """
    start = 0
    while start < len(batch):
        end = batch.rfind(b"\n", start, start + select.PIPE_BUF) + 1
        if not end:  # one line alone is longer
            end = batch.find(b"\n", start) + 1
        yield batch[start:end]
        start = end

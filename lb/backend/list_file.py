"""A watched file with one backend a line."""

from pathlib import Path

import structlog

from lb.backend.source import Listed, parse_list

# Tells that a file is another than before: time of change, size, inode.
_Signature = tuple[int, int, int]


class WatchedFile:
    """Read again whenever it has changed; a broken or missing file keeps what was there before."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._signature: _Signature | None = None
        self._failure = ""
        self._last: tuple[Listed, ...] = ()
        self._log = structlog.get_logger("lb")

    def read(self) -> tuple[Listed, ...]:
        """Return the backends that the file lists, or did when it last was right."""
        try:
            stat = self._path.stat()
            signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if signature == self._signature:
                return self._last
            self._last = parse_list(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            # Read again next time, whatever the signature: a write may be going on.
            self._signature = None
            if str(error) != self._failure:  # once, and not each second
                self._failure = str(error)
                self._log.warning("list of backends kept", file=str(self._path), error=str(error))
            return self._last
        self._signature = signature
        self._failure = ""
        return self._last

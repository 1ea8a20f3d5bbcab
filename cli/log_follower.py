"""Shows what programs write to their logs, as they write it."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

EVERY_S = 0.1
READ_BYTES = 64 * 1024


class LogFollower:
    """Follows every log in a folder, new and rotated ones too, in a thread of its own."""

    def __init__(self, logs: Path, show: Callable[[str], None]) -> None:
        self._logs = logs
        self._show = show
        self._files: dict[Path, BinaryIO] = {}
        self._unfinished: dict[Path, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow logs", daemon=True)
        for log in logs.glob("*.log"):  # what earlier runs wrote is not shown
            self._open(log).seek(0, 2)

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Show what is left to show, and end."""
        self._stop.set()
        self._thread.join()
        self._look()
        for file in self._files.values():
            file.close()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        for log in sorted(self._logs.glob("*.log")):
            with suppress(FileNotFoundError):  # just rotated: its successor is not there yet
                self._look_at(log)

    def _look_at(self, log: Path) -> None:
        file = self._files.get(log) or self._open(log)
        self._read(log, file)
        if log.stat().st_ino != _inode(file):  # rotated: go on in the new one
            new = self._open(log)
            self._read(log, file)  # what was written between the last look and the rotation
            file.close()
            self._read(log, new)

    def _open(self, log: Path) -> BinaryIO:
        self._files[log] = file = log.open("rb")
        self._unfinished.setdefault(log, b"")
        return file

    def _read(self, log: Path, file: BinaryIO) -> None:
        while chunk := file.read(READ_BYTES):
            *lines, self._unfinished[log] = (self._unfinished[log] + chunk).split(b"\n")
            for line in lines:
                self._show(f"{log.stem:<11}| {line.decode(errors='replace')}")


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino

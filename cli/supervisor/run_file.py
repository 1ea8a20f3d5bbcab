"""Who runs on a data folder: a lock for the living, a record for what a killed one left behind."""

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

import psutil

from cli.errors import DataFolderInUse, DataFolderUnusable


@dataclass(frozen=True)
class Record:
    """One running program: its process id, when that began (seconds since 1970), its command.

    A program can change how its command line reads, but not which file it runs.  `address`: where
    it answers, of a worker its metrics; empty where it listens nowhere.
    """

    name: str
    pid: int
    began_at: float
    argv: list[str]
    file: str  # what it runs; empty when the operating system does not tell
    rank: int
    stop_signal: int
    address: str = ""


@dataclass(frozen=True)
class DrillRecord:
    """How to harm a run that may be harmed: the faults' control socket, and the balancer's URLs."""

    control: str
    address: str
    admin_address: str


@dataclass(frozen=True)
class RunContents:
    """What the run file says: the URLs of the servers that run here, and every program.

    `drill`: None where nobody may do harm.
    """

    database_url: str | None = None
    redis_url: str | None = None
    programs: list[Record] = field(default_factory=list)
    drill: DrillRecord | None = None


class FolderLock:
    """The right to work on a data folder; the kernel takes it back when its holder dies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "up.lock"
        self._file: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.  Raises DataFolderInUse, DataFolderUnusable."""
        while self._file is None:
            try:
                file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise DataFolderUnusable(
                    f"{self._path.parent} cannot be written: {error.strerror}. "
                    "Give another folder with --data, or make it yours."
                ) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(file, 32, 0).decode(errors="replace").strip()
                os.close(file)
                raise DataFolderInUse(
                    f"Another millrace{f' (pid {holder})' if holder else ''} works on "
                    f"{self._path.parent}. Stop it first, or give another folder with --data."
                ) from error
            if self._is_current(file):
                self._file = file
            else:  # the holder before us removed the file between our open and our lock
                os.close(file)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back, and leave no file."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)  # while locked, so nobody's new file is removed
            os.close(self._file)
            self._file = None

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return False


def running_file(process: psutil.Process) -> str:
    """Return the file that a process runs; empty when the operating system does not tell."""
    try:
        return str(process.exe())
    except psutil.AccessDenied:
        return ""


def is_locked(folder: Path) -> bool:
    """Tell whether some process holds the folder's lock."""
    try:
        file = os.open(folder / "up.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


class RunFile:
    """The record of what runs on a data folder; written anew, whole, at each change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "up.json"
        self._lock = Lock()
        self._published: dict[str, object] = {
            "database_url": None, "redis_url": None, "drill": None
        }  # fmt: skip
        self._programs: dict[int, Record] = {}

    def read(self) -> RunContents:
        """Return what the file says; nothing when it is missing or was never finished."""
        try:
            found: dict[str, Any] = json.loads(self._path.read_text())
            programs = [Record(**record) for record in found["programs"]]
            drill = DrillRecord(**found["drill"]) if found["drill"] is not None else None
            return RunContents(found["database_url"], found["redis_url"], programs, drill)
        except (OSError, ValueError, KeyError, TypeError):
            return RunContents()

    def publish(
        self, *, database_url: str | None, redis_url: str | None, drill: DrillRecord | None = None
    ) -> None:
        """Say where the servers of this run are, for commands that want to use them."""
        with self._lock:
            self._published = {
                "database_url": database_url,
                "redis_url": redis_url,
                "drill": asdict(drill) if drill is not None else None,
            }
            self._write()

    def add(
        self, name: str, pid: int, argv: list[str], rank: int, stop_signal: int, address: str = ""
    ) -> None:
        """Note a program that has just been started."""
        try:
            process = psutil.Process(pid)
            began_at, file = process.create_time(), running_file(process)
        except psutil.Error:  # it has ended already
            return
        with self._lock:
            self._programs[pid] = Record(
                name, pid, began_at, argv, file, rank, stop_signal, address
            )
            self._write()

    def discard(self, pid: int) -> None:
        """Forget a program that has ended."""
        with self._lock:
            if self._programs.pop(pid, None) is not None:
                self._write()

    def remove(self) -> None:
        """Delete the file: nothing runs any more."""
        with self._lock:
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        contents = {**self._published, "programs": [asdict(one) for one in self._programs.values()]}
        unfinished = self._path.with_name("up.json.new")
        # a full disk must not bring down a supervisor; the record is only needed after a SIGKILL
        with contextlib.suppress(OSError):
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(contents))
            unfinished.replace(self._path)

"""Deletes the data of embedded servers: `python -m cli.embedded.wipe DATA_FOLDER`.

Needs the standard library alone, since `make clean` may have removed the rest before.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path

from cli.embedded.errors import EmbeddedServerError
from cli.embedded.place import place_for

OWN_FOLDERS = ("logs", "segments")
OWN_FILES = ("up.lock", "up.json", "up.json.new")


def wipe(data: Path) -> None:
    """Delete what `millrace up` keeps in and for a data folder, and nothing else in it.

    Raises BlockingIOError while somebody works on it.
    """
    if not data.is_dir():
        return
    lock = os.open(data / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        place_for(data).remove()
        for name in OWN_FOLDERS:
            shutil.rmtree(data / name, ignore_errors=True)
        for name in OWN_FILES:
            (data / name).unlink(missing_ok=True)
        if data.is_dir() and not any(data.iterdir()):
            data.rmdir()
    finally:
        os.close(lock)


def main() -> int:
    """Wipe the data folder that was given; return the exit code."""
    data = Path(sys.argv[1])
    try:
        wipe(data)
    except BlockingIOError:
        sys.stderr.write(f"{data} is in use. Stop the millrace that works on it first.\n")
        return 4
    except (EmbeddedServerError, OSError) as error:
        sys.stderr.write(f"{data} cannot be deleted: {error}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Log files of programs: one a program, older ones kept beside it, and their ends for messages."""

from pathlib import Path

ROTATE_BYTES = 8 * 1024 * 1024
KEPT = 3
TAIL_READ_BYTES = 64 * 1024


def rotate(log: Path, *, limit_bytes: int = ROTATE_BYTES, kept: int = KEPT) -> None:
    """Move a log that has grown past `limit_bytes` to `NAME.1`, that to `NAME.2`, and so on."""
    if not log.is_file() or log.stat().st_size < limit_bytes:
        return
    for number in range(kept, 0, -1):
        older = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))


def tail(log: Path, lines: int = 8) -> str:
    """Return the last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_READ_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])

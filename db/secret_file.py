"""A password in a file of its own, as container platforms hand passwords over."""

from pathlib import Path


def read_secret(path: Path) -> str:
    """Return the file's one line, without its end.

    Raises ValueError with what is wrong with the file; never with what is in it.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must hold text in UTF-8") from error
    if len(lines) != 1 or not lines[0]:
        raise ValueError(f"{path} must hold one line, the password")
    return lines[0]

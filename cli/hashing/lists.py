"""Lists of digests, as `sha256sum` and BSD's `sha256` write them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hashing.registry import REGISTRY

# DIGEST, two spaces or a space and a star, FILE; GNU begins a line with a backslash when it
# escaped the file's name
_GNU = re.compile(r"(\\)?([0-9a-fA-F]{8,})(?:  | \*)(.+)")
_BSD = re.compile(r"(\\)?([A-Za-z0-9_/-]+) \((.+)\) = ([0-9a-fA-F]{8,})")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


@dataclass(frozen=True)
class Noted:
    """One line of a list: a file and the digest that it had."""

    file: str
    algorithm: str
    digest: bytes


def write(file: str, algorithm: str, digest: bytes, *, tagged: bool) -> str:
    """Return the line for a digest; `tagged`: in BSD's form, which names the algorithm."""
    name = file.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if name != file else ""
    if tagged:
        return f"{mark}{algorithm} ({name}) = {digest.hex()}"
    return f"{mark}{digest.hex()}  {name}"


def read(lines: Iterable[str], algorithm: str) -> Iterator[Noted | None]:
    """Yield what each line notes, None for one that cannot be read; empty ones are left out.

    Lines that do not name an algorithm are of `algorithm`.
    """
    for line in lines:
        text = line.rstrip("\r\n")
        if text.strip():
            yield _noted(text, algorithm)


def _noted(line: str, algorithm: str) -> Noted | None:
    if found := _BSD.fullmatch(line):
        mark, name, file, digest = found.groups()
        algorithm = name.lower().replace("-", "_").replace("/", "_")
        algorithm = re.sub(r"^(sha)_?(\d)", r"\1\2", algorithm)
    elif found := _GNU.fullmatch(line):
        mark, digest, file = found.groups()
    else:
        return None
    if algorithm not in REGISTRY or len(digest) % 2:
        return None
    if mark:
        file = re.sub(r"\\[\\nr]", lambda escape: _ESCAPES[escape[0]], file)
    return Noted(file, algorithm, bytes.fromhex(digest))

"""A file to load: its columns, and its rows as bytes that COPY takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cli.errors import LoadRefused

NAME_BYTES = 63  # PostgreSQL would cut a longer one off


@dataclass(frozen=True)
class Column:
    """A column: its name, PostgreSQL's type, and whether the person chose that."""

    name: str
    type: str
    chosen: bool = False


class Source(Protocol):
    """A file whose types are known.  Progress is counted in bytes, or in rows."""

    path: str
    columns: list[Column]
    line_word: str  # what COPY's line numbers count in this file: its lines, or its rows
    total: int

    @property
    def copy_options(self) -> str:
        """What COPY must know about the bytes."""
        ...

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """Yield bytes for COPY, each with how far into `total` it reaches."""
        ...


def check_names(path: str, names: list[str]) -> None:
    """Make sure that names can be columns' names.  Raises LoadRefused with the remedy."""
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        remedy = "Correct the header, or give --no-header and leave the header out."
        if not name:
            raise LoadRefused(f"{path}: column {number} has no name. {remedy}")
        if name in seen:
            raise LoadRefused(f'{path}: two columns are named "{name}". {remedy}')
        if len(name.encode()) > NAME_BYTES:
            raise LoadRefused(
                f'{path}: the name "{name}" is longer than {NAME_BYTES} bytes. {remedy}'
            )
        seen.add(name)
    if not names:
        raise LoadRefused(f"{path}: the file is empty, so its columns are unknown.")


def with_choices(path: str, columns: list[Column], choices: dict[str, str]) -> list[Column]:
    """Replace inferred types by chosen ones.  Raises LoadRefused for a column that isn't there."""
    unknown = sorted(set(choices) - {column.name for column in columns})
    if unknown:
        there = ", ".join(column.name for column in columns)
        raise LoadRefused(f'{path}: no column "{unknown[0]}" for --type. It has: {there}.')
    return [
        Column(column.name, choices[column.name], chosen=True) if column.name in choices else column
        for column in columns
    ]

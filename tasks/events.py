"""How who works with the queue hears what happens in it."""

from typing import Protocol


class OnEvent(Protocol):
    """Is told of a change: its name in snake_case, why, and what else is known.

    May be called by any thread, and must neither wait nor fail.
    """

    def __call__(self, name: str, cause: str, /, **facts: object) -> None:
        """Take note."""


def unheard(_name: str, _cause: str, /, **_facts: object) -> None:
    """Take no note."""

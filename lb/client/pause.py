"""Reasons not to read from a client."""

from enum import IntFlag


class Pause(IntFlag):
    """Reading goes on when no reason is left."""

    STASH = 1  # enough of the next requests is waiting
    BACKEND = 2  # the backend takes the body more slowly, or is not connected yet

"""Reasons not to read from a client."""

from typing import Final

# More of a body than this is not taken in while the connection to the backend is being made.
HIGH_WATER_BYTES = 262144


class Pause:
    """Bits of a plain number; reading goes on when none is left.

    No enum: its operators run in Python, and were a twentieth of a request's time.
    """

    STASH: Final = 1  # enough of the next requests is waiting
    BACKEND: Final = 2  # the backend takes the body more slowly, or is not connected yet

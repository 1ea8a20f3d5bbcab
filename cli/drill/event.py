"""What happened in a drill, one event for each thing asked, found or written."""

from dataclasses import dataclass
from typing import Literal

# unknown: nobody can say whether it was done, since no answer came or the answer says so
Outcome = Literal["ok", "failed", "unknown"]

# client: a request of the load.  probe: one that tells whether all is normal.  part: an item of
# another event's request.  drill: what the drill itself wrote, or found in the end.
Source = Literal["client", "probe", "part", "drill"]

FINE = "ok"


@dataclass(frozen=True)
class Read:
    """A question with one right answer; `observed` None: there was no answer."""

    expected: str
    observed: str | None


@dataclass(frozen=True)
class Attempt:
    """A request for one lasting effect.

    `once`: sent again it is the same effect, by its idempotency key; else each counts for itself.
    `reply` is what an acknowledged one was told of the effect: its id, or nothing.
    """

    effect: str
    once: bool
    reply: str = ""


@dataclass(frozen=True)
class Tally:
    """How often an effect was found in the end."""

    effect: str
    count: int


@dataclass(frozen=True)
class Rows:
    """What an effect has left: pairs of row number (from 1) and digest, in the order found."""

    effect: str
    expected: tuple[str, ...]
    observed: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Write:
    """A version written to all rows of the register; versions ascend, from one writer."""

    version: int


@dataclass(frozen=True)
class Seen:
    """The least and the greatest version that one answer saw.

    `age_s`: how much older than the request the answer may be, by what it says of itself and by
    what was asked for.
    """

    lowest: int
    highest: int
    age_s: float


Value = Read | Attempt | Tally | Rows | Write | Seen | None


@dataclass(frozen=True)
class Event:
    """One entry of the history; times in seconds since the drill began, by one monotonic clock.

    `ending` says for people how a request ended: "ok", a status with its problem's type, or how
    the connection failed.  `stale`: the answer says that it is older than it should be.
    """

    id: int
    kind: str
    invoked_at: float
    completed_at: float
    outcome: Outcome
    value: Value = None
    ending: str = FINE
    stale: bool = False
    source: Source = "client"

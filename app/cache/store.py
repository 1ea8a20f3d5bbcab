"""What a store of answers does; Redis and PostgreSQL each are one."""

from dataclasses import dataclass
from typing import Literal, Protocol

What = Literal["hit", "lead", "wait", "miss"]


class StoreUnavailable(Exception):
    """The store is away or does not answer in time."""


@dataclass(frozen=True)
class Found:
    """What a look into a store brought.

    "hit": `value` is good enough.  Else "lead" (the caller computes it, for all), "wait" (somebody
    else does) or "miss" (it only looked), and `value` is one that is too old, or None.
    `age_s` is the value's, `hits` how often it was given, `cost_s` how long it took to compute.
    `began` is to be handed to `put`: it tells when, and so what was invalidated in between.
    `computed_at` is when the value was, by the monotonic clock of who asked, or a little before.
    """

    what: What
    value: bytes | None
    age_s: float
    hits: int
    cost_s: float
    began: str
    computed_at: float = 0.0


@dataclass(frozen=True)
class Entry:
    """An answer to be kept under `key`; `request` is `request_text`'s name, and '' for none.

    `computed_at`, of this process's monotonic clock, is not after its snapshot, which is
    `snapshot`.  `began` None: not known to this store.
    """

    key: str
    value: bytes
    tables: tuple[str, ...]
    computed_at: float
    cost_s: float
    snapshot: str
    began: str | None
    request: str = ""
    request_text: str = ""


@dataclass(frozen=True)
class Size:
    """How much a store holds."""

    entries: int
    bytes: int


class Store(Protocol):
    """Keeps answers by key.  Every method raises StoreUnavailable.  Safe for many threads."""

    name: Literal["redis", "database"]

    def enter(self, key: str, *, oldest_s: float, token: str = "", request: str = "") -> Found:
        """Look `key` up; with a `token`, lead or wait if there is none younger than `oldest_s`."""
        ...

    def put(self, entry: Entry) -> bool:
        """Keep an answer; False if it was invalidated meanwhile, or a newer one is there."""
        ...

    def renew(self, key: str, token: str) -> None:
        """Go on leading."""
        ...

    def release(self, key: str, token: str) -> None:
        """Lead no more."""
        ...

    def invalidate(self, tables: tuple[str, ...] | None) -> None:
        """Let nothing count that was computed from one of the tables, or at all, before now."""
        ...

    def size(self) -> Size:
        """Return how much is held."""
        ...

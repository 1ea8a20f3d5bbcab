"""A dictionary that keeps what was used last."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Newest(Generic[K, V]):
    """At most `size` items; what was used longest ago makes room.  Safe for use by many threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        """Tell whether it is kept, which does not count as a use."""
        with self._lock:
            return key in self._kept

    def get(self, key: K) -> V | None:
        """Return what is kept under `key`, if there is something."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep `value`."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget it, if it is kept."""
        with self._lock:
            self._kept.pop(key, None)

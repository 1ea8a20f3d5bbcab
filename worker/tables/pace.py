"""How much is read at once, and when to wait: so that others are not kept from the database."""

from collections.abc import Callable

from worker.tables.sizes import Sizes

GROWTH = 4.0  # at most, from one partition to the next: one that was fast by luck says little


class Pace:
    """Chooses how many rows make a partition, by the time that the latest one took."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self.rows = sizes.first

    def measured(self, rows: int, seconds: float) -> None:
        """Note that so many rows took so long."""
        if rows <= 0:
            return
        fitting = self._sizes.target_s * rows / max(seconds, 1e-6)
        bounded = min(max(fitting, self.rows / GROWTH), self.rows * GROWTH)
        leaves = round(bounded / self._sizes.leaf)
        self.rows = min(max(leaves, 1) * self._sizes.leaf, self._sizes.most)


SLOWER = 3.0
MEASURABLE_S = 0.1  # what is quicker than this says nothing of others
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
MOST_PAUSED_S = 30.0  # for one partition: a database that is always busy must not stop the job


class Throttle:
    """Waits between partitions while others use the database.

    Two signs count: more than `max_load` other sessions run a statement, and a row takes SLOWER
    times as long as it once did.
    """

    def __init__(self, max_load: int, pause: Callable[[float], None]) -> None:
        self._max_load = max_load
        self._pause = pause
        self._fastest_s: float | None = None
        self.paused_s = 0.0

    def wait(self, load: Callable[[], int], rows: int, seconds: float) -> None:
        """Wait as a partition of so many rows, that took so long, and the load want it.

        What `pause` raises ends the waiting.
        """
        waited, pause_s = 0.0, FIRST_PAUSE_S
        while waited < MOST_PAUSED_S and load() > self._max_load:
            self._wait(pause_s)
            waited += pause_s
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        if not rows or seconds < MEASURABLE_S:
            return
        each_s = seconds / rows
        if self._fastest_s is None or each_s < self._fastest_s:
            self._fastest_s = each_s
        elif each_s > SLOWER * self._fastest_s and not waited:
            # as long as it took: half of the time is left to others
            self._wait(min(seconds, LONGEST_PAUSE_S))

    def _wait(self, seconds: float) -> None:
        self.paused_s += seconds
        self._pause(seconds)

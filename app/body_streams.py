"""How many large bodies a serving process receives at once."""

import threading


class BodyStreams:
    """Places for requests whose bodies are still being sent: each holds a thread meanwhile.

    Were there as many as threads, a few slow senders would keep all other requests waiting, the
    balancer's checks among them, and the replica would be ejected.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._places = threading.BoundedSemaphore(most)

    def take_place(self) -> bool:
        """Take a place if there is one."""
        return self._places.acquire(blocking=False)

    def give_place_back(self) -> None:
        """Give back a place that was taken."""
        self._places.release()

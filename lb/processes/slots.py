"""The public listening sockets: one a process, held by the parent for its whole life."""

import socket
import sys
from dataclasses import replace

from lb.backend.source import Address
from lb.listening import listen

_VARIABLE = "MILLRACE_LB_LISTEN"


def open_slots(address: Address, number: int) -> list[socket.socket]:
    """Return `number` listening sockets on `address`, over which the kernel spreads connections.

    Closing a listening socket resets the connections that wait in its queue, so none is ever
    closed while the balancer runs: a new process takes over the socket of the one before.  Raises
    StartFailed.
    """
    first = listen(address, _VARIABLE)
    if number == 1:
        return [first]
    if sys.platform != "linux":
        # There, SO_REUSEPORT gives everything to one of the sockets; so they share a queue.
        return [first, *(first.dup() for _ in range(number - 1))]
    # The first one could be bound, so nobody listens there: SO_REUSEPORT alone would have
    # joined the sockets of another balancer that runs by mistake, and shared its clients.
    place = replace(address, port=first.getsockname()[1])
    first.close()
    return [listen(place, _VARIABLE, share_port=True) for _ in range(number)]

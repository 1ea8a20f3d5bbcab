"""TCP ports for servers that are started a little later than their port is chosen."""

import itertools
import os

from cli.stack.ports import LOWEST, free_ports

EACH = 1200  # so that ten processes of the tests lie below the ports of outgoing connections

# Begun anywhere, so that two runs on one machine seldom meet.  By chance it cannot be: what is
# drawn is the same in every process of the tests, which all begin each test with the same seed.
_places = itertools.count(os.getpid())


def free_port() -> int:
    """Return a port that nobody has, and that no other process of the tests will choose.

    A port that the kernel picks would be given up again until the server binds it, and may by then
    be another server's, or a client's end of some connection.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = LOWEST + worker % 10 * EACH
    (port,) = free_ports(1, chance=lambda _low, _high: first + next(_places) % EACH - 1)
    return port

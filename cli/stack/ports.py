"""TCP ports on this machine: free ones for replicas, and whether ours are free."""

import errno
import random
import socket
from collections.abc import Callable
from pathlib import Path

import psutil

from cli.errors import PortInUse

LOOPBACK = "127.0.0.1"
LOWEST = 20000
EPHEMERAL_FROM = 32768  # Linux's default; macOS and the BSDs begin at 49152
RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, *, chance: Callable[[int, int], int] = random.randint) -> list[int]:
    """Return so many ports that nobody listens on.

    They lie below the ephemeral range: a port from within it can be handed to some outgoing
    connection while a replica that died is away, which then cannot come back.
    """
    above = _ephemeral_from()
    found: list[int] = []
    candidate = chance(LOWEST, above - 1)
    for _ in range(above - LOWEST):
        if len(found) == count:
            break
        candidate = candidate + 1 if candidate + 1 < above else LOWEST
        if _bind_error(candidate) is None:
            found.append(candidate)
    if len(found) < count:
        raise PortInUse(f"No {count} ports between {LOWEST} and {above} are free for replicas.")
    return found


def require_free(port: int, option: str) -> None:
    """Make sure that we can listen on `port`.  Raises PortInUse with who does, and the remedy."""
    error = _bind_error(port)
    if error is None:
        return
    if error.errno == errno.EACCES:
        raise PortInUse(f"Port {port} is not for ordinary users. Give another with {option}.")
    raise PortInUse(
        f"Port {port} is in use{_listener(port)}. Stop that, or give another port with {option}."
    )


def _bind_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        # connections of an earlier run that linger in TIME_WAIT do no harm
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                if connection.pid is None:
                    return " by another user's program"
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:  # macOS tells only root
        pass
    return ""


def _ephemeral_from() -> int:
    try:
        lowest = int(RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return EPHEMERAL_FROM
    return lowest if lowest > LOWEST + 1000 else EPHEMERAL_FROM

"""One connection to Redis, used by one thread at a time, with errors in our own words.

Commands go through the connection of redis-py and not through its client: the client's wrappers
cost more than the round trip on a local socket, and a slot must send its answer and its next
blocking read in one write.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import redis
from redis.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from tasks.errors import QueueUnavailable
from tasks.scripts import Script

Argument: TypeAlias = str | bytes | int
Response: TypeAlias = "int | bytes | list[Response] | None"
Outcome: TypeAlias = "Response | ResponseError"
Command: TypeAlias = tuple[Argument, ...]


class Link:
    """Sends commands over one connection.  Not for several threads at once."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    def calls(self, *commands: Command) -> list[Outcome]:
        """Send all in one write and return the replies; an error reply stands in its place.

        Raises QueueUnavailable when the connection breaks or times out.
        """
        self.send(*commands)
        return [self.receive() for _ in commands]

    def send(self, *commands: Command) -> None:
        """Send all in one write; as many calls of `receive` must follow.

        Raises QueueUnavailable.
        """
        with self._closing_on_failure():
            self._connection.send_packed_command([packed(commands)])  # type: ignore[no-untyped-call]

    def receive(self) -> Outcome:
        """Return the reply of the next command sent.  Raises QueueUnavailable."""
        with self._closing_on_failure():
            try:
                reply: Response = self._connection.read_response()
            except ResponseError as error:
                return error
            return reply

    def call(self, *command: Argument) -> Response:
        """Send one command.  Raises QueueUnavailable, also when Redis refuses it."""
        return accepted(self.calls(command)[0])

    def run(self, script: Script, keys: list[str], arguments: list[Argument]) -> Response:
        """Run a script.  Raises QueueUnavailable, also when Redis refuses it."""
        reply = self.calls(script.command(keys, arguments))[0]
        if isinstance(reply, NoScriptError):
            reply = self.calls(script.loading_command(keys, arguments))[0]
        return accepted(reply)

    @contextmanager
    def _closing_on_failure(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            self.close()
            raise QueueUnavailable(f"Redis is not available: {error}") from error
        except BaseException:
            self.close()  # a reply may still be on its way: nobody may read it as another's
            raise

    def close(self) -> None:
        """Disconnect; the next call connects again."""
        self._connection.disconnect()  # type: ignore[no-untyped-call]


def packed(commands: Iterable[Command]) -> bytes:
    """Return the commands in RESP.

    The packing of redis-py takes a third of a worker's time for a small task; this a tenth.
    """
    pieces: list[bytes] = []
    for command in commands:
        pieces.append(b"*%d\r\n" % len(command))
        for argument in command:
            data = argument if isinstance(argument, bytes) else str(argument).encode()
            pieces += (b"$%d\r\n" % len(data), data, b"\r\n")
    return b"".join(pieces)


def accepted(reply: Outcome) -> Response:
    """Return the reply unless it is an error; that is raised as QueueUnavailable."""
    if isinstance(reply, ResponseError):
        raise QueueUnavailable(f"Redis refuses: {reply}") from reply
    return reply


def group_is_missing(error: BaseException | None) -> bool:
    """Tell whether this error means that the stream or its group has gone, as after FLUSHALL."""
    return isinstance(error, ResponseError) and str(error).startswith(("NOGROUP", "UNBLOCKED"))


@contextmanager
def borrowed(client: redis.Redis) -> Iterator[Link]:
    """Give a link over a connection of the client's pool, for a short while.

    Raises QueueUnavailable when none can be made.
    """
    try:
        connection = client.connection_pool.get_connection()
    except (RedisError, OSError) as error:
        raise QueueUnavailable(f"Redis is not available: {error}") from error
    try:
        yield Link(connection)
    finally:
        client.connection_pool.release(connection)

"""Asks Sentinels which server is the master."""

import asyncio
import ssl
from collections.abc import Callable

from lb.limiter.redis_address import RedisAddress

Encode = Callable[..., bytes]


async def master_of(
    address: RedisAddress, tls: ssl.SSLContext | None, encode: Encode, timeout_s: float
) -> tuple[str, int]:
    """Return the address of the master, as told by the first Sentinel that knows.

    Each is asked for `timeout_s` at most.  Raises OSError when none knows.
    """
    problem = ""
    for host, port in address.sentinels:
        try:
            async with asyncio.timeout(timeout_s):
                return await _asked(host, port, address, tls, encode)
        except OSError as error:  # TimeoutError is one
            problem = f"Sentinel {host}:{port}: {str(error) or 'no answer in time'}"
    raise OSError(problem)


async def _asked(
    host: str, port: int, address: RedisAddress, tls: ssl.SSLContext | None, encode: Encode
) -> tuple[str, int]:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        if address.sentinel_password:
            words = (address.sentinel_username, address.sentinel_password)
            writer.write(encode(b"AUTH", *(word.encode() for word in words if word)))
            _accepted(await reader.readline())
        name = address.service.encode()
        writer.write(encode(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name))
        if _accepted(await reader.readline()) != b"*2":
            raise OSError(f"it knows no {address.service!r}")
        found = [_accepted(await reader.readline()) for _ in range(4)]
        return found[1].decode(), int(found[3])
    except ValueError as error:
        raise OSError("what answers is no Sentinel") from error
    finally:
        writer.close()


def _accepted(line: bytes) -> bytes:
    if not line.endswith(b"\r\n"):
        raise OSError("the connection was closed")
    if line.startswith(b"-"):
        raise OSError(line[1:].strip().decode("latin-1"))
    return line[:-2]

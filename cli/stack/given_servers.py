"""Checks servers that are given by URL: that they are there, and let us in."""

import re
from urllib.parse import urlsplit

import psycopg
import redis

from cli.errors import ServerUnreachable
from tasks.redis_url import client_of

TIMEOUT_S = 5.0

_REMEDIES = (
    (r"password authentication failed|no password supplied", "Correct the name or the password."),
    (r"role .* does not exist", "Correct the user's name."),
    (r"database .* does not exist", "Create it (createdb), or correct its name."),
    (r"pg_hba.conf", "Let this machine in: pg_hba.conf of the server refuses it."),
    (r"could not translate host|resolve", "Correct the host's name."),
    (r"refused|No such file|timeout|timed out", "Start the server, or correct host and port."),
)


def check_postgres(url: str) -> None:
    """Connect once.  Raises ServerUnreachable with the cause and the remedy."""
    try:
        psycopg.connect(url, connect_timeout=int(TIMEOUT_S)).close()
    except psycopg.ProgrammingError as error:
        raise ServerUnreachable(
            f"DATABASE_URL cannot be read: {_one_line(error)}. "
            "It looks like postgresql://user:password@host:5432/database."
        ) from error
    except psycopg.Error as error:
        raise ServerUnreachable(
            f"PostgreSQL at {masked(url)} (DATABASE_URL) cannot be used: {_one_line(error)}. "
            f"{_remedy(str(error))} Or unset DATABASE_URL: then millrace brings its own."
        ) from error


def check_redis(url: str) -> None:
    """Ping once.  Raises ServerUnreachable with the cause and the remedy."""
    try:
        client = client_of(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    except ValueError as error:
        raise ServerUnreachable(
            f"REDIS_URL cannot be read: {error}. It looks like redis://:password@host:6379/0."
        ) from error
    try:
        client.ping()
    except redis.AuthenticationError as error:
        raise ServerUnreachable(
            f"Redis at {masked(url)} (REDIS_URL) refuses us: {error}. Correct the password."
        ) from error
    except redis.RedisError as error:
        raise ServerUnreachable(
            f"Redis at {masked(url)} (REDIS_URL) cannot be used: {_one_line(error)}. "
            "Start it, or correct host and port. Or unset REDIS_URL: then millrace brings its own."
        ) from error
    finally:
        client.close()


def masked(url: str) -> str:
    """Return the URL without its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an unreadable URL)"
    if parts.scheme == "":  # libpq's key=value form
        return re.sub(r"password\s*=\s*('[^']*'|\S+)", "password=***", url)
    user, separator, host = parts.netloc.rpartition("@")
    if ":" in user:
        user = user.partition(":")[0] + ":***"
    query = re.sub(r"(?<![^&])(password)=[^&]*", r"\1=***", parts.query)
    # not urlunsplit, which drops the // before an empty host
    shown = f"{parts.scheme}://{user}{separator}{host}{parts.path}"
    return f"{shown}?{query}" if query else shown


def _remedy(message: str) -> str:
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, message):
            return remedy
    return "Correct the URL, or the server."


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return " ".join(lines).rstrip(".?")

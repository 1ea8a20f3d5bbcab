"""The reader: the role that users' SQL runs as, and how its sessions are set up."""

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from db.breaker import Breaker, BreakerListener
from db.database import Database
from db.settings import DatabaseSettings
from db.sqlstate import judge

_PASSWORD_LABEL = b"millrace reader password, version 1\0"


def reader_url(owner_url: str, role: str) -> str:
    """Return the URL by which `role` reaches the server and database of `owner_url`.

    The password is derived from the owner's, so whoever knows DATABASE_URL can compute it, and
    nobody has to hand it around; where the owner has none (trust, peer), the reader has none.
    """
    parameters = {
        key: str(value) for key, value in conninfo_to_dict(owner_url).items() if value is not None
    }
    owners_password = parameters.pop("password", None)
    parameters["user"] = role
    if owners_password is not None:
        parameters["password"] = reader_password(owners_password, role)
    return f"postgresql://?{urlencode(parameters, quote_via=quote, safe='')}"


def reader_password(owners_password: str, role: str) -> str:
    """Derive the reader's password: HMAC-SHA256 (RFC 2104), keyed by the owner's, in hex."""
    message = _PASSWORD_LABEL + role.encode()
    return hmac.new(owners_password.encode(), message, hashlib.sha256).hexdigest()


def reader_session(settings: DatabaseSettings) -> dict[str, str]:
    """Return the server settings of every session of the reader.

    Replica and worker must agree on them: values travel as PostgreSQL's text, and the text of a
    timestamp or a float depends on these.  They also keep the text in ISO 8601, and what our lexer
    takes for a string one for PostgreSQL.
    """
    quoted = settings.schema_name.replace('"', '""')
    return {
        "search_path": f'pg_catalog,"{quoted}"',
        "TimeZone": "UTC",
        "DateStyle": "ISO,YMD",
        "IntervalStyle": "iso_8601",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        "default_transaction_read_only": "on",
        "standard_conforming_strings": "on",
        "row_security": "on",
        "statement_timeout": _milliseconds(settings.statement_timeout_s),
        "lock_timeout": _milliseconds(settings.lock_timeout_s),
        "idle_in_transaction_session_timeout": _milliseconds(settings.idle_transaction_timeout_s),
    }


def _milliseconds(seconds: float) -> str:
    # at least one: 0 means that there is no limit
    return str(max(1, round(seconds * 1000)) if seconds else 0)


def reader_database(
    settings: DatabaseSettings,
    program: str,
    listeners: Sequence[BreakerListener] = (),
    url: str | None = None,
) -> Database:
    """Return the pool for users' SQL of `program` ("app", "worker"), not open yet.

    `listeners` are called after each change of the breaker's state: see Breaker.  `url`: of another
    database, by a role that may do no more than its owner wants Millrace's users to.
    """
    breaker = Breaker(judge, settings.breaker_rules, listeners=listeners)
    return Database(
        url or settings.reader_url or reader_url(settings.url, settings.reader_role),
        breaker=breaker,
        name=program,
        session=reader_session(settings),
        pool_size=settings.pool_size,
        pool_wait_s=settings.pool_wait_s,
        max_waiting=settings.max_waiting,
        max_lifetime_s=settings.max_lifetime_s,
        connect_timeout_s=settings.connect_timeout_s,
        answer_s=settings.statement_timeout_s or None,
    )

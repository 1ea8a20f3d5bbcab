"""Settings of the database, read from the environment; documented in docs/database.md."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.breaker import BreakerRules
from db.secret_file import read_secret

OWN_SCHEMA = "millrace"
TRACKING_SCHEMA = "millrace_tracking"  # what of ours the reader may run, and nothing else


def _connection_url(url: str) -> str:
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        # libpq's own message would repeat the URL with its password
        raise ValueError(
            "is no PostgreSQL URL; it looks like postgresql://user:password@host:5432/database"
        ) from error
    return url


def _exposed_schema(name: str) -> str:
    if name in {OWN_SCHEMA, TRACKING_SCHEMA, "information_schema"} or name.startswith("pg_"):
        raise ValueError(f"the schema {name!r} is not for users' tables")
    return name


def _one_server(url: str) -> str:
    given = conninfo_to_dict(_connection_url(url))
    if any("," in str(given.get(name) or "") for name in ("host", "hostaddr")):
        raise ValueError("names several hosts; give a URL for each replica, with a space between")
    return url


def _words(urls: object) -> object:
    return tuple(urls.split()) if isinstance(urls, str) else urls


def _secret_file(path: Path) -> Path:
    read_secret(path)
    return path


Url = Annotated[str, AfterValidator(_connection_url)]
Name = Annotated[str, Field(min_length=1, max_length=63)]


class DatabaseSettings(BaseSettings):
    """Where PostgreSQL is and how it is used.  Durations in seconds.

    Variables are `MILLRACE_DB_<FIELD>`, except those with a name of their own.
    """

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_DB_",
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # passwords
    )

    # before the URL, whose password it holds
    password_file: Annotated[Path, AfterValidator(_secret_file)] | None = Field(
        default=None, validation_alias="DATABASE_PASSWORD_FILE"
    )
    url: Url = Field(validation_alias="DATABASE_URL", repr=False)
    reader_url: Url | None = Field(default=None, validation_alias="MILLRACE_READER_URL", repr=False)
    replica_urls: Annotated[
        tuple[Annotated[str, AfterValidator(_one_server)], ...], NoDecode, BeforeValidator(_words)
    ] = Field(default=(), validation_alias="MILLRACE_REPLICA_URLS", repr=False)
    reader_role: Name = Field(default="millrace_reader", validation_alias="MILLRACE_READER_ROLE")
    schema_name: Annotated[Name, AfterValidator(_exposed_schema)] = Field(
        default="public", validation_alias="MILLRACE_SCHEMA"
    )
    pool_size: int = Field(default=10, ge=1)
    own_pool_size: int = Field(default=4, ge=1)
    pool_wait_s: float = Field(default=5.0, gt=0)
    max_waiting: int = Field(default=100, ge=1)
    max_lifetime_s: float = Field(default=3600.0, gt=0)
    connect_timeout_s: int = Field(default=5, ge=2)  # libpq: whole seconds, at least two
    statement_timeout_s: float = Field(default=60.0, ge=0)
    lock_timeout_s: float = Field(default=5.0, ge=0)
    idle_transaction_timeout_s: float = Field(default=60.0, ge=0)
    temp_file_limit_mb: int = Field(default=4096, ge=0, le=2_000_000)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_window_s: float = Field(default=10.0, gt=0)
    breaker_min_calls: int = Field(default=10, ge=1)
    breaker_failure_share: float = Field(default=0.5, gt=0, le=1)
    breaker_slow_s: float = Field(default=1.0, gt=0)
    breaker_slow_share: float = Field(default=0.5, gt=0, le=1)
    breaker_reset_s: float = Field(default=1.0, gt=0)
    breaker_reset_max_s: float = Field(default=5.0, gt=0)

    @field_validator("url")
    @classmethod
    def _with_password(cls, url: str, info: ValidationInfo) -> str:
        path = info.data.get("password_file")
        given = conninfo_to_dict(url)
        if path is None or given.get("password"):  # the URL's own goes before the file's
            return url
        parameters = {**given, "password": read_secret(path)}
        return f"postgresql://?{urlencode(parameters, quote_via=quote, safe='')}"

    @property
    def breaker_rules(self) -> BreakerRules:
        """What the settings say of each breaker."""
        return BreakerRules(
            failures=self.breaker_failures,
            window_s=self.breaker_window_s,
            min_calls=self.breaker_min_calls,
            failure_share=self.breaker_failure_share,
            slow_s=self.breaker_slow_s,
            slow_share=self.breaker_slow_share,
            reset_s=self.breaker_reset_s,
            reset_max_s=self.breaker_reset_max_s,
        )

    def __init__(self, **given: Any) -> None:  # so that type checkers allow none to be given
        super().__init__(**given)

"""What the environment says about the replica itself."""

from typing import Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LogFormat = Literal["json", "console"]
SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class SettingsInvalid(Exception):
    """A setting is missing or makes no sense; the message names each variable."""


def read(settings: type[SettingsT]) -> SettingsT:
    """Return settings from the environment.  Raises SettingsInvalid."""
    prefix = settings.model_config.get("env_prefix", "")
    try:
        return settings()
    except ValidationError as error:
        lines = []
        for detail in error.errors():
            name = str(detail["loc"][0]) if detail["loc"] else ""
            variable = f"{prefix}{name}".upper() if name in settings.model_fields else name
            # never the value: it can hold a password
            lines.append(f"{variable}: {detail['msg']}".strip(": "))
        raise SettingsInvalid("\n".join(lines)) from error


class AppSettings(BaseSettings):
    """Settings of one API replica; each is the environment variable `MILLRACE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    app_listen: str = Field(default="127.0.0.1:8000", description="Address to serve on, host:port.")
    app_processes: int = Field(default=1, ge=1, description="Serving processes of the replica.")
    app_max_body_bytes: int = Field(
        default=1_048_576, ge=1, description="Largest JSON body; a larger one is refused with 413."
    )
    app_body_streams: int = Field(
        default=10,
        ge=1,
        description="Bodies above 64 KiB of hash streams, batches and uploads that a process "
        "receives at once; further ones get 503. Two of MILLRACE_APP_BULK_LIMIT are left anyway.",
    )
    app_keepalive_s: int = Field(
        default=90,
        ge=1,
        description="How long an idle connection is kept. Must be longer than the balancer keeps "
        "it, or the balancer sends a request into a connection that is being closed.",
    )
    app_drain_s: float = Field(
        default=2.0,
        ge=0,
        description="After SIGTERM: how long the replica says 503 on `/health/ready` and serves "
        "on, so that the balancer sees it before connections are refused.",
    )
    app_grace_s: int = Field(
        default=35,
        ge=1,
        description="After SIGTERM: how long the replica may take to finish, drain included. "
        "Longer than the longest request, or that one is cut off.",
    )
    app_probe_s: float = Field(
        default=1.0,
        gt=0,
        description="How often PostgreSQL and Redis are checked.",
    )
    app_slow_request_s: float = Field(
        default=1.0,
        ge=0,
        description="Requests that take longer are logged whatever their status.",
    )
    log_level: LogLevel = Field(default="info", description="Least severity that is logged.")
    log_format: LogFormat = Field(default="json", description="`json`, or `console` for people.")

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("app_listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, separator, port = value.rpartition(":")
        if not (host and separator and port.isdigit() and int(port) < 65536):
            raise ValueError("must be host:port, such as 127.0.0.1:8000 or [::1]:8000")
        return value

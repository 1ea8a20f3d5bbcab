"""Settings of the scaler, read from the environment."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ScalerSettings(BaseSettings):
    """`MILLRACE_SCALER_…`, and the log's settings, which all programs share."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_SCALER_", populate_by_name=True, frozen=True
    )

    interval_s: float = Field(default=5.0, ge=0.1, le=300)
    """Between two looks at workers and queues."""

    min_workers: int = Field(default=1, ge=1, le=10_000)
    max_workers: int = Field(default=20, ge=1, le=10_000)
    """There are never fewer, and never more."""

    target_utilisation: float = Field(default=0.7, gt=0, le=1)
    """Part of the slots that shall be busy."""

    drain_s: float = Field(default=60.0, gt=0)
    """Within so long shall be done what waits."""

    window_s: float = Field(default=15.0, gt=0)
    """Over so long the load is measured."""

    stabilise_s: float = Field(default=300.0, ge=0)
    """Workers are taken away when for so long fewer were enough."""

    step_up: int = Field(default=4, ge=1)
    step_down: int = Field(default=1, ge=1)
    """How many are added, or taken away, at once."""

    join_s: float = Field(default=60.0, gt=0)
    """For so long workers that were added are waited for, before more are."""

    lease_s: float = Field(default=15.0, gt=0)
    """After so long without a sign of the scaler that decides, another one does."""

    driver: Literal["advise", "docker"] = "advise"
    """`advise` only says; `docker` starts and stops containers."""

    docker_socket: Path = Path("/var/run/docker.sock")
    docker_timeout_s: float = Field(default=20.0, gt=0)
    """For one call of the engine; stopping a worker has its own time besides."""

    project: str | None = None
    """Compose project of the workers; none: that of the scaler's own container."""

    service: str = "worker"
    """Compose service of the workers."""

    metrics_listen: str = "off"
    """Address of `/metrics` and `/health`, host:port, with port 0 for a free one; or `off`."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="MILLRACE_LOG_LEVEL"
    )
    log_format: Literal["json", "console"] = Field(
        default="json", validation_alias="MILLRACE_LOG_FORMAT"
    )

    @field_validator("metrics_listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value != "off" and not (host and port.isdigit() and int(port) < 65536):
            raise ValueError("must be host:port, such as 127.0.0.1:9100 or [::1]:9100, or off")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.max_workers < self.min_workers:
            raise ValueError("max_workers must not be less than min_workers")
        if self.lease_s < 2 * self.interval_s:
            raise ValueError("lease_s must be at least twice interval_s, or it lapses in use")
        if self.window_s < self.interval_s:
            raise ValueError("window_s must not be less than interval_s")
        return self

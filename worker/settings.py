"""Settings of a worker, read from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import DirectoryPath, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """`MILLRACE_WORKER_…`, and the log's settings, which all programs share."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_WORKER_", populate_by_name=True, frozen=True
    )

    slots: int = Field(default=2, ge=1, le=1000)
    """Fragments that run at once; each has a connection to PostgreSQL."""

    bulk_slots: int = Field(default=1, ge=0, le=1000)
    """Tasks of jobs that run at once, besides the fragments; 0: this worker runs none."""

    password_slots: int = Field(default=1, ge=0, le=1000)
    """Passwords that are hashed at once, besides all else; 0: this worker hashes none."""

    password_nice: int = Field(default=10, ge=0, le=19)
    """By how much their threads go behind all else in the worker (Linux)."""

    keeper: Literal["on", "off"] = "on"
    """Whether a process beside it builds and refreshes segments, where there is a folder."""

    drain_timeout_s: float = Field(default=30.0, gt=0)
    """How long a stopping worker finishes what it holds, in seconds."""

    metrics_listen: str = "off"
    """Address of `/metrics` and `/health`, host:port, with port 0 for a free one; or `off`."""

    disk_path: DirectoryPath = Path()
    """A folder; how full its file system is, is told as a metric."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="MILLRACE_LOG_LEVEL"
    )
    log_format: Literal["json", "console"] = Field(
        default="json", validation_alias="MILLRACE_LOG_FORMAT"
    )

    columnar_threads: int = Field(default=0, ge=0, le=1024)
    """Processors that DuckDB uses for all fragments over segments together; 0: those there are."""

    columnar_memory_mb: int = Field(default=0, ge=0)
    """Memory that DuckDB may hold, for all fragments together, in MiB; then it spills to disk.
    0: an eighth of what the worker may have, and 128 at least."""

    columnar_temp_mb: int = Field(default=2048, ge=0)
    """What it may spill to the folder for temporary files, in MiB; beyond, PostgreSQL answers."""

    @field_validator("metrics_listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value != "off" and not (host and port.isdigit() and int(port) < 65536):
            raise ValueError("must be host:port, such as 127.0.0.1:9100 or [::1]:9100, or off")
        return value

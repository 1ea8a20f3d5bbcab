"""What the environment says about the lanes."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class LaneSettings(BaseSettings):
    """Limits of one serving process; each is the environment variable `MILLRACE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    app_health_limit: int = Field(
        default=2, ge=1, description="Requests of `/health` that a process works on at once."
    )
    app_status_limit: int = Field(
        default=4, ge=1, description="The same of status, metrics, documentation, cancellations."
    )
    app_hash_limit: int = Field(default=8, ge=1, description="The same of hashes and digests.")
    app_query_limit: int = Field(
        default=16, ge=1, description="The same of queries: at most, when they are not slowed down."
    )
    app_query_limit_min: int = Field(
        default=2, ge=1, description="So many queries may always be worked on at once."
    )
    app_query_slowdown: float = Field(
        default=2.0,
        ge=1.0,
        description="How much longer queries may take than alone before fewer run at once.",
    )
    app_bulk_limit: int = Field(
        default=28,
        ge=1,
        description="The same of uploads, batches, streams, exports, jobs and passwords.",
    )
    app_exports: int = Field(
        default=5,
        ge=1,
        description="Answers in NDJSON, CSV and Arrow that a process streams at once; further ones "
        "get 503. Each holds a connection to PostgreSQL: keep it below MILLRACE_DB_POOL_SIZE.",
    )
    app_max_waiting: int = Field(
        default=64, ge=0, description="Requests of one lane that wait; further ones get 503."
    )
    app_wait_s: float = Field(
        default=0.5,
        gt=0,
        description="Longest wait for a turn. A request that would wait longer is refused at once.",
    )

    @property
    def threads(self) -> int:
        """Threads, so that each lane finds one for each of its requests."""
        return (
            self.app_health_limit
            + self.app_status_limit
            + self.app_hash_limit
            + self.app_query_limit
            + self.app_bulk_limit
        )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.app_query_limit_min > self.app_query_limit:
            raise ValueError("MILLRACE_APP_QUERY_LIMIT_MIN is above MILLRACE_APP_QUERY_LIMIT")
        return self

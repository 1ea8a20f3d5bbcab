"""Settings of jobs and uploads; documented in docs/jobs.md and docs/uploads.md."""

import base64
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.retry import RetryPolicy
from jobs.upload_record import GIB, UploadLimits

_OWN_NAMES = {"own", "bulk"}  # a pool of each database is watched, and told from others, by name


class RetryChange(BaseModel):
    """What an operator changes of a kind's own policy; None leaves it."""

    model_config = {"extra": "forbid", "frozen": True}

    base_s: float | None = Field(default=None, ge=0)
    factor: float | None = Field(default=None, ge=1)
    cap_s: float | None = Field(default=None, ge=0)
    attempts: int | None = Field(default=None, ge=1)


class JobSettings(BaseSettings):
    """Read from the environment: `MILLRACE_JOBS_…`.  Durations in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_JOBS_", populate_by_name=True, extra="ignore", frozen=True
    )

    lease_s: float = Field(default=10.0, gt=0)
    """After so long without renewal a task is another worker's."""

    renew_s: float = Field(default=0.5, gt=0)
    """Between renewals, which also tell a worker of cancelled tasks."""

    reconcile_s: float = Field(default=1.0, gt=0)
    poll_s: float = Field(default=5.0, gt=0)
    """How often an idle slot looks into the ledger unasked; about every second without Redis."""

    max_unfinished: int = Field(default=10_000, ge=1)
    retention_s: float = Field(default=7 * 86_400.0, ge=0)
    key_retention_s: float = Field(default=86_400.0, ge=0)

    connections: int = Field(default=2, ge=1, le=64)
    """To users' tables, for one task of a job."""

    max_load: int = Field(default=8, ge=0)
    """Sessions of others that run a statement; beyond, jobs that read tables pause."""

    databases: dict[str, SecretStr] = Field(default_factory=dict)
    """Further databases, by name: URLs.  Requests can only name them."""

    max_record_bytes: int = Field(default=1_048_576, ge=1, le=64 * 1024 * 1024)
    """Of one record of a file that is hashed row by row; a longer one is a failed row."""

    max_unpacked_bytes: int = Field(default=64 * 1024**3, ge=1)
    """Of a compressed file, once unpacked."""

    max_query_rows: int = Field(default=1_000_000_000, ge=1)
    """Of a query whose rows are hashed."""

    retry: dict[str, RetryChange] = Field(default_factory=dict)
    """By kind: what differs from its own policy."""

    def __init__(self, **given: Any) -> None:  # so that type checkers allow none to be given
        super().__init__(**given)

    @model_validator(mode="after")
    def _durations_fit(self) -> Self:
        if self.lease_s < 3 * self.renew_s:
            raise ValueError("lease_s must be at least three times renew_s, or leases lapse in use")
        return self

    @field_validator("databases")
    @classmethod
    def _are_not_ours(cls, databases: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if taken := sorted(_OWN_NAMES & databases.keys()):
            raise ValueError(f"{', '.join(taken)}: Millrace's own pools are called so; rename it")
        return databases

    def policy(self, kind: str, default: RetryPolicy) -> RetryPolicy:
        """Return the kind's policy as the operator wants it."""
        change = self.retry.get(kind)
        if change is None:
            return default
        given = change.model_dump(exclude_none=True)
        return RetryPolicy(**{**vars(default), **given})


class UploadSettings(BaseSettings):
    """Read from the environment: `MILLRACE_UPLOADS_…`.  See UploadLimits."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_UPLOADS_", extra="ignore", frozen=True)

    max_bytes: int = Field(default=100 * GIB, ge=1)
    total_bytes: int = Field(default=500 * GIB, ge=1)
    max_open: int = Field(default=1000, ge=1)
    retention_s: float = Field(default=86_400.0, ge=0)
    verify_bytes: int = Field(default=2 * GIB, ge=0)

    @property
    def limits(self) -> UploadLimits:
        """What they come to."""
        return UploadLimits(**self.model_dump())


class HashKeySettings(BaseSettings):
    """Secret keys of hash jobs: `MILLRACE_HASH_KEYS`; documented in docs/hash_jobs.md."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_HASH_", populate_by_name=True, extra="ignore", frozen=True
    )

    keys: dict[str, SecretStr] = Field(default_factory=dict)
    """By name, in base64.  Requests can only name them: what they send is kept in the ledger."""

    def __init__(self, **given: Any) -> None:  # so that type checkers allow none to be given
        super().__init__(**given)

    @field_validator("keys")
    @classmethod
    def _are_base64(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, key in keys.items():
            try:
                decoded = base64.b64decode(key.get_secret_value(), validate=True)
            except ValueError:
                decoded = b""
            if not decoded:
                raise ValueError(f"the key {name!r} must be some bytes in base64, with its padding")
        return keys

    def decoded(self) -> Mapping[str, bytes]:
        """Return the keys' bytes by their names."""
        return {name: base64.b64decode(key.get_secret_value()) for name, key in self.keys.items()}

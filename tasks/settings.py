"""Settings of the queue, for those who send tasks and those who run them."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.redis_url import check_url, with_password
from tasks.secret_file import read_secret


def _secret_file(path: Path) -> Path:
    read_secret(path)
    return path


class QueueSettings(BaseSettings):
    """Read from the environment: `REDIS_URL` and `MILLRACE_QUEUE_…`.  Durations in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_QUEUE_",
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,  # passwords
    )

    # before the URL, whose password it holds
    password_file: Annotated[Path, AfterValidator(_secret_file)] | None = Field(
        default=None, validation_alias="REDIS_PASSWORD_FILE"
    )
    url: str = Field(validation_alias="REDIS_URL", repr=False)
    connect_timeout_s: float = Field(default=2.0, gt=0)
    socket_timeout_s: float = Field(default=2.0, gt=0)

    block_s: float = Field(default=0.5, gt=0)
    """How long one blocking read or pop lasts; between two of them the loops look around."""

    lease_s: float = Field(default=2.0, gt=0)
    renew_s: float = Field(default=0.5, gt=0)
    """Interval of lease renewal, of the look for lapsed leases and for cancelled tasks."""

    heartbeat_s: float = Field(default=1.0, gt=0)
    heartbeat_ttl_s: float = Field(default=3.0, gt=0)
    max_deliveries: int = Field(default=3, ge=1)
    max_length: int = Field(default=1000, ge=1)
    max_wait_share: float = Field(default=0.5, gt=0, le=1)
    """Where a task would wait for more than this share of its time, it is not queued."""

    straggler_s: float = Field(default=1.0, gt=0)
    """No task counts as a straggler before this time."""

    def __init__(self, **given: Any) -> None:  # so that type checkers allow none to be given
        super().__init__(**given)

    @field_validator("url")
    @classmethod
    def _is_one_of_redis(cls, url: str, info: ValidationInfo) -> str:
        check_url(url)
        path = info.data.get("password_file")
        return url if path is None else with_password(url, read_secret(path))

    @model_validator(mode="after")
    def _durations_fit(self) -> Self:
        if self.socket_timeout_s < 2 * self.block_s:
            raise ValueError("socket_timeout_s must be at least twice block_s, or reads time out")
        if self.lease_s < 2 * self.renew_s:
            raise ValueError("lease_s must be at least twice renew_s, or leases lapse in use")
        if self.heartbeat_ttl_s < 2 * self.heartbeat_s:
            raise ValueError("heartbeat_ttl_s must be at least twice heartbeat_s")
        return self

"""What the environment says about stored digests."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MOST_AT_ONCE = 1000  # digests that one call of the group commit stores


class DigestSettings(BaseSettings):
    """Settings of stored digests; each is the environment variable `MILLRACE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    digests_max_waiting: int = Field(
        default=20_000,
        ge=MOST_AT_ONCE,
        description="Digests of a process that wait for their commit; more are refused with 503.",
    )
    digests_timeout_s: float = Field(
        default=10.0, gt=0, description="How long a request waits for its commit."
    )

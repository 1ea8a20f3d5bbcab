"""What the environment says about the cache of answers."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CacheSettings(BaseSettings):
    """Each is the environment variable `MILLRACE_CACHE_<NAME>`.  Durations in seconds."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    cache_ttl_s: float = Field(
        default=30.0, ge=0, description="How long an answer is given again; 0: no cache."
    )
    cache_stale_s: float = Field(
        default=300.0, ge=0,
        description="How long an answer is kept: given, marked as stale, while PostgreSQL is away, "
        "or to who allows it with max_staleness_s.",
    )  # fmt: skip
    cache_max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=4096, description="Most bytes of all answers in Redis."
    )
    cache_database_max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=4096, description="Most bytes of all answers in PostgreSQL."
    )
    cache_max_answer_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="Largest answer that is kept, compressed."
    )
    cache_redis_timeout_s: float = Field(
        default=0.25, gt=0, description="Longest wait for Redis before the database takes over."
    )
    cache_lease_s: float = Field(
        default=2.0, gt=0.1,
        description="After this time without a sign of life, who computes an answer for others is "
        "given up, and one of them computes it.",
    )  # fmt: skip
    cache_warm_queries: int = Field(
        default=10, ge=0,
        description="How many of the hottest queries are computed beforehand, after a start and "
        "after an invalidation.",
    )  # fmt: skip

"""What the environment says about hashing."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class HashSettings(BaseSettings):
    """Settings of the hash calls; each is the environment variable `MILLRACE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    hash_stream_max_bytes: int = Field(
        default=0, ge=0, description="Largest body of `/v1/hash/stream`; 0: of any size."
    )
    hash_batch_max_items: int = Field(
        default=1_000_000, ge=1, description="Most items of one `/v1/hash/batch`."
    )
    hash_batch_item_max_bytes: int = Field(
        default=1_048_576, ge=1, description="Largest item of a batch, as it is written."
    )
    hash_max_pbkdf2_rounds: int = Field(
        default=2_000_000,
        ge=1,
        description="Most work of one PBKDF2: iterations times blocks of output.",
    )

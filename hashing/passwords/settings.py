"""What one password hash may cost, alike for replicas and workers; documented in docs/queue.md."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from hashing.passwords.scheme import Limits


class PasswordLimits(BaseSettings):
    """Read from the environment: `MILLRACE_PASSWORD_…`."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_PASSWORD_", populate_by_name=True, frozen=True
    )

    memory_bytes: int = Field(default=268_435_456, ge=1_048_576)
    """Memory of one hash; a worker's slots for passwords take so much each, and no more."""

    argon2id_passes: int = Field(default=10, ge=1)
    argon2id_lanes: int = Field(default=16, ge=1)
    scrypt_parallelism: int = Field(default=16, ge=1)
    bcrypt_cost: int = Field(default=15, ge=4, le=31)

    def limits(self) -> Limits:
        """Return them as the schemes take them."""
        return Limits(**self.model_dump())

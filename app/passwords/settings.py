"""What the environment says about how passwords are waited for."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PasswordSettings(BaseSettings):
    """Settings of the password calls; each is the environment variable `MILLRACE_<NAME>`.

    What one hash may cost is in hashing.passwords.settings: workers must know it, too.
    """

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    password_timeout_s: float = Field(
        default=30.0, gt=0, description="Time for one, waiting for a worker included."
    )
    password_max_queued: int = Field(
        default=100, ge=1, description="Most on the lane, of all replicas; more are refused."
    )
    password_max_waiting: int = Field(
        default=10, ge=1, description="Most that a process waits for at once: each takes a thread."
    )

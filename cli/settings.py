"""Settings of the command line, from the environment."""

import os
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.settings import DatabaseSettings
from tasks.settings import QueueSettings


class CliSettings(BaseSettings):
    """What `millrace` itself reads; the programs that it starts read theirs by themselves."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", extra="ignore", env_ignore_empty=True)

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL")
    db_pool_size: int = Field(default=10, ge=1)

    @property
    def database(self) -> str | None:
        """DATABASE_URL, with the password of DATABASE_PASSWORD_FILE.  Raises ValidationError."""
        return None if self.database_url is None else DatabaseSettings(url=self.database_url).url

    @property
    def redis(self) -> str | None:
        """REDIS_URL, with the password of REDIS_PASSWORD_FILE.  Raises ValidationError."""
        return None if self.redis_url is None else QueueSettings(url=self.redis_url).url


@cache
def checkout() -> Path:
    """Return the folder that holds the programs' packages."""
    return Path(__file__).resolve().parent.parent


def default_data_folder() -> Path:
    """Return where the embedded servers' data lies unless `--data` says otherwise."""
    return checkout() / ".millrace"


def inherited_environment() -> dict[str, str]:
    """Return our own environment, for the programs that we start."""
    return dict(os.environ)

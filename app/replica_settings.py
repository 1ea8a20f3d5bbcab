"""All settings of a replica, read once."""

from dataclasses import dataclass
from typing import Self

from app.cache.settings import CacheSettings
from app.digests.settings import DigestSettings
from app.hashes.settings import HashSettings
from app.lanes.settings import LaneSettings
from app.passwords.settings import PasswordSettings
from app.queries.settings import QuerySettings
from app.settings import AppSettings, read
from db.settings import DatabaseSettings
from hashing.passwords.settings import PasswordLimits
from jobs.settings import HashKeySettings, JobSettings, UploadSettings
from tasks.settings import QueueSettings
from telemetry.settings import TracingSettings


@dataclass(frozen=True)
class ReplicaSettings:
    """One member for each subject, which documents its own variables."""

    app: AppSettings
    lanes: LaneSettings
    database: DatabaseSettings
    queue: QueueSettings
    query: QuerySettings
    cache: CacheSettings
    hashes: HashSettings
    digests: DigestSettings
    passwords: PasswordSettings
    password_limits: PasswordLimits
    jobs: JobSettings
    uploads: UploadSettings
    hash_keys: HashKeySettings
    tracing: TracingSettings

    @classmethod
    def from_environment(cls) -> Self:
        """Read them all.  Raises SettingsInvalid."""
        return cls(
            read(AppSettings),
            read(LaneSettings),
            read(DatabaseSettings),
            read(QueueSettings),
            read(QuerySettings),
            read(CacheSettings),
            read(HashSettings),
            read(DigestSettings),
            read(PasswordSettings),
            read(PasswordLimits),
            read(JobSettings),
            read(UploadSettings),
            read(HashKeySettings),
            read(TracingSettings),
        )

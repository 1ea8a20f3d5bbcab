"""What has passwords hashed, built once in each serving process."""

import redis
from prometheus_client import CollectorRegistry

from app.passwords.metrics import PasswordMetrics
from app.passwords.service import Passwords
from app.passwords.settings import PasswordSettings
from db.database import Database
from db.sealing_key import SealingKey
from hashing.passwords.settings import PasswordLimits
from tasks.dispatcher import Dispatcher
from tasks.lanes import PASSWORD
from tasks.settings import QueueSettings


def build_passwords(
    own: Database,
    client: redis.Redis,
    queue_settings: QueueSettings,
    settings: PasswordSettings,
    limits: PasswordLimits,
    registry: CollectorRegistry,
) -> Passwords:
    """Build, with nothing asked of PostgreSQL or Redis yet."""
    lane_settings = queue_settings.model_copy(update={"max_length": settings.password_max_queued})
    return Passwords(
        Dispatcher(client, lane_settings, lane=PASSWORD),
        key=SealingKey(own).get,
        limits=limits.limits(),
        timeout_s=settings.password_timeout_s,
        max_waiting=settings.password_max_waiting,
        metrics=PasswordMetrics(registry),
    )

"""What the routes work with; built in main.py, once in each serving process."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from app.metrics import AppMetrics
from app.readiness import Readiness
from app.settings import AppSettings

EXTENSION = "millrace"


@dataclass(frozen=True)
class Services:
    """Everything a route may use.  `started_at` is by the monotonic clock."""

    settings: AppSettings
    metrics: AppMetrics
    readiness: Readiness
    started_at: float


def services() -> Services:
    """Return the services of the application that answers the current request."""
    return cast("Services", current_app.extensions[EXTENSION])

"""Builds the replica: services, then the application around them.

gunicorn calls `create_app()` in each serving process, after the fork: pools, clients and threads
do not survive one.
"""

import time

from flask import Flask
from prometheus_client import CollectorRegistry

from app import endpoints
from app.error_handling import register_error_handling
from app.logs import configure_structlog
from app.metrics import AppMetrics
from app.readiness import Readiness
from app.request_id import register_request_id
from app.request_log import register_request_log
from app.routes import health
from app.services import EXTENSION, Services
from app.settings import AppSettings

ENDPOINTS = (*health.endpoints,)


def create_app() -> Flask:
    """Build the replica's application from the environment, with everything running."""
    configure_structlog()
    services = build_services(AppSettings())
    services.readiness.start()
    return build_app(services)


def build_services(settings: AppSettings) -> Services:
    """Build what the routes work with; nothing of it has started yet."""
    metrics = AppMetrics(CollectorRegistry())
    readiness = Readiness((), interval_s=settings.app_probe_s)
    return Services(settings, metrics, readiness, time.monotonic())


def build_app(services: Services) -> Flask:
    """Build the application around `services`."""
    app = Flask("millrace", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.app_max_body_bytes
    app.url_map.merge_slashes = False  # else `//v1` is answered with a redirect, in HTML
    app.extensions[EXTENSION] = services
    # hooks after a request run in reverse order: the id first in, and last out
    register_request_id(app)
    register_request_log(app, services.settings.app_slow_request_s)
    services.metrics.register(app)
    register_error_handling(app)
    endpoints.register(app, ENDPOINTS)
    return app


def close(services: Services) -> None:
    """End what `create_app` started; called when the serving process ends."""
    services.readiness.stop()

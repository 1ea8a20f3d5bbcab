# ruff: noqa: N999 - the file has the name that gunicorn gives it
"""How gunicorn serves the replica: `gunicorn -c app/gunicorn.conf.py 'app.main:create_app()'`.

Nothing is built here: pools, clients and threads are made by `create_app()` in each process,
after the fork.
"""

import logging.config
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # from any folder

from app.birth import hold_signals_across_forks
from app.lanes.settings import LaneSettings
from app.logs import logging_config
from app.settings import AppSettings, SettingsInvalid, read
from db.settings import DatabaseSettings
from tasks.settings import QueueSettings
from telemetry.settings import TracingSettings

try:
    _settings = read(AppSettings)
    _lanes = read(LaneSettings)
    read(DatabaseSettings)  # here already: a process that fails at its start fails again and again
    read(QueueSettings)
    read(TracingSettings)
except SettingsInvalid as error:
    sys.exit(f"The replica cannot start. Correct these environment variables:\n{error}")

_OWN_METRICS_FOLDER = _settings.app_processes > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ
if _OWN_METRICS_FOLDER:
    # prometheus_client decides when it is imported, so this comes before the application
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="millrace-metrics-")


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's own messages, into our log; requests are logged by the application."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logging.config.dictConfig(logging_config(_settings.log_level, _settings.log_format))


bind = _settings.app_listen
proc_name = "millrace-app"
workers = _settings.app_processes
threads = _lanes.threads
worker_class = "app.serving.ReplicaWorker"
keepalive = _settings.app_keepalive_s
graceful_timeout = _settings.app_grace_s
control_socket_disable = True  # it would be made in the home folder, and nobody uses it
logger_class = _Logger
loglevel = _settings.log_level


def on_starting(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Let a serving process hear SIGTERM however early it comes."""
    hold_signals_across_forks()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Take the gauges of a process that ended out of the sums."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Remove the folder of the metrics, if it is ours."""
    if _OWN_METRICS_FOLDER:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)

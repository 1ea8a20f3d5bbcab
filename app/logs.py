"""One log: JSON lines on standard output, from our code, from libraries, and from gunicorn."""

import logging
from typing import Any

import structlog
from structlog.typing import Processor

from app.settings import LogFormat, LogLevel

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


# without the values of variables, which are structlog's default: they can be anybody's secrets
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def formatter(log_format: LogFormat) -> logging.Formatter:
    """Return the formatter for every handler: one JSON object a line, or text for people."""
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        last += [
            _TRACEBACKS,
            # what is an event of docs/trouble.md has its name as `event`
            structlog.processors.EventRenamer("message", replace_by="_event"),
            structlog.processors.JSONRenderer(),
        ]
    else:
        last += [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()], processors=last
    )


def logging_config(level: LogLevel, log_format: LogFormat) -> dict[str, Any]:
    """Return the standard library's logging configuration (`logging.config.dictConfig`).

    gunicorn's own loggers lose their handlers, so that they write through the root's.
    """
    ours = {"handlers": [], "propagate": True, "level": level.upper()}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"millrace": {"()": "app.logs.formatter", "log_format": log_format}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "millrace",
            }
        },
        "root": {"handlers": ["stdout"], "level": level.upper()},
        "loggers": {"gunicorn.error": ours, "gunicorn.access": ours},
    }


def configure_structlog() -> None:
    """Send structlog's events through the standard library, so that both end in one log."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

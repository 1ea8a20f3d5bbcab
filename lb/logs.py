"""The balancer's own log on standard output: what it found, ejected, readmitted, refused."""

import logging

import structlog
from structlog.dev import plain_traceback

# without the values of variables, which are structlog's default: they can be anybody's secrets
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(level: str, log_format: str) -> None:
    """Set up structlog: one JSON object a line, or text for people (`console`)."""
    renderers: list[structlog.typing.Processor] = (
        [
            _TRACEBACKS,
            # what is an event of docs/trouble.md has its name as `event`
            structlog.processors.EventRenamer("message", replace_by="_event"),
            structlog.processors.JSONRenderer(),
        ]
        if log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(),
    )

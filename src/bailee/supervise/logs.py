"""Logs: one JSON object a line on stderr, for every role alike."""

import sys

import structlog


def configure_logs(role: str) -> None:
    """Set up structlog for this process; every line says the role.

    JSON escapes line ends and control characters, so that no value can forge a line (R44).
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(role=role)

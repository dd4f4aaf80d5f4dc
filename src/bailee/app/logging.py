"""Logs of a role: its own lines and those of the libraries, one JSON object a line on stderr."""

import logging

import structlog

from bailee.supervise.logs import configure_logs

_LEVELS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


def set_up_logging(role: str) -> None:
    """Set up logs for this process; every line says the role.

    Libraries (uvicorn, SQLAlchemy, asyncio) are heard from warnings upwards. Their messages become
    values of our lines, so that none of them can forge a line.
    """
    configure_logs(role)
    root = logging.getLogger()
    root.handlers = [_Forwarder()]
    root.setLevel(logging.WARNING)


class _Forwarder(logging.Handler):
    """Hands a record of the standard library to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a record that can't be formatted is told without its arguments."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        log = structlog.get_logger().bind(library=record.name)
        level = _LEVELS.get(record.levelno, "warning")
        getattr(log, level)(message, exc_info=record.exc_info or None)

"""Logs of a role; see `supervise.logs`."""

from bailee.supervise.logs import configure_logs as set_up_logging

__all__ = ["set_up_logging"]

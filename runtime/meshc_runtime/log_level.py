"""Which requests the access log tells of: what the program chose, and above it the level that an operator set."""

from __future__ import annotations

from enum import StrEnum

from meshc_runtime.access_log import AccessRecord


class LogLevel(StrEnum):
    """How much is logged now."""

    OFF = "off"
    ERROR = "error"
    """Of what the program lets be logged, only requests that are refused, answered with 5xx or not at all."""
    INFO = "info"
    """What the program says."""
    DEBUG = "debug"
    """Every request, whatever the program says."""


def is_error(record: AccessRecord) -> bool:
    """Whether the proxy itself refused or failed the request, or the answer was 5xx."""
    return record.status >= 500 or record.status == 0 or record.reason != ""


def is_logged(record: AccessRecord, level: LogLevel) -> bool:
    """Whether a request that has ended gets a line."""
    match level:
        case LogLevel.OFF:
            return False
        case LogLevel.DEBUG:
            return True
        case LogLevel.INFO if record.logged == "on":
            return True
    return record.logged != "off" and is_error(record)

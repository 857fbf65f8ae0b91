"""The log of a process as its environment wants it."""

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

from telemetry import log_format

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class TelemetrySettingsError(ValueError):
    """The environment asks for a log that there is not; the message is a sentence that names the variable."""


def configure(process: str, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Log to `stream`, standard error by default: sentences on a terminal, JSON elsewhere. Raises JournalError."""
    where: TextIO = sys.stderr if stream is None else stream
    wanted = environ.get("LOG_FORMAT", "").strip().lower() or ("text" if where.isatty() else "json")
    if wanted not in LOG_FORMATS:
        raise TelemetrySettingsError(f"LOG_FORMAT must be text or json, not {wanted!r}.")
    level = environ.get("LOG_LEVEL", "").strip().upper() or "INFO"
    if level not in LOG_LEVELS:
        raise TelemetrySettingsError(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, not {level!r}.")
    handler = logging.StreamHandler(where)
    handler.setFormatter((log_format.JsonFormatter if wanted == "json" else log_format.TextFormatter)(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)

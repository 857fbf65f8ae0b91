"""Configures a process's log from its environment."""

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

from telemetry import log_format
from telemetry.errors import SettingsError

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def configure(process: str, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Log to `stream` (default: standard error), as text to a terminal and as JSON otherwise. Raises SettingsError."""
    output: TextIO = sys.stderr if stream is None else stream
    log_format_name = environ.get("LOG_FORMAT", "").strip().lower() or ("text" if output.isatty() else "json")
    if log_format_name not in LOG_FORMATS:
        raise SettingsError(f"LOG_FORMAT must be text or json, not {log_format_name!r}.")
    level = environ.get("LOG_LEVEL", "").strip().upper() or "INFO"
    if level not in LOG_LEVELS:
        raise SettingsError(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, not {level!r}.")
    handler = logging.StreamHandler(output)
    handler.setFormatter((log_format.JsonFormatter if log_format_name == "json" else log_format.TextFormatter)(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)

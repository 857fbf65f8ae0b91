"""Formats log records as text for a person or as JSON for a machine.

Only the fields listed here are written, so that a message's text never appears if it is logged by mistake.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

LogValue: TypeAlias = "str | int | float | bool | list[str] | dict[str, int] | None"

ALLOWED_FIELDS = (
    *("request_id", "method", "endpoint", "status", "batch", "batches", "event"),
    *("digest", "reason", "events", "outcomes", "seconds", "path", "trace_id"),
)
"""The fields in the order of output: identities and counts, never the text of a message or a person.

`request_id` is the value of X-Request-Id, `batch` is writer:number, and `event` is writer:number:index.
"""
LOG_CONTEXT: ContextVar[dict[str, LogValue]] = ContextVar("log_context")
"""Fields of every record logged in this context, such as those of the current request."""
_MAX_FRAMES = 8
_REPOSITORY_ROOT = Path(__file__).resolve().parent.parent


def context_fields(record: logging.LogRecord) -> dict[str, LogValue]:
    """Return the allowed fields of the record and of its context."""
    context = LOG_CONTEXT.get({})
    values = ((name, getattr(record, name, context.get(name))) for name in ALLOWED_FIELDS)
    return {name: value for name, value in values if value is not None}


def exception_fields(record: logging.LogRecord) -> dict[str, LogValue]:
    """Return the type and place of the exception.

    The message is left out, because PostgreSQL quotes the row in it, and Python often the value.
    """
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    frames = traceback.extract_tb(record.exc_info[2])[-_MAX_FRAMES:]
    return {"error": record.exc_info[0].__name__, "where": [f"{_short_path(at.filename)}:{at.lineno}" for at in frames]}


def _short_path(filename: str) -> str:
    path = Path(filename)
    short = path.relative_to(_REPOSITORY_ROOT) if path.is_relative_to(_REPOSITORY_ROOT) else Path(*path.parts[-2:])
    return str(short)


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """A formatter that writes a record as a line of JSON."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, LogValue] = {
            "at": _timestamp(record),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(document | context_fields(record) | exception_fields(record), separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """A formatter that writes a record as a line of text: a sentence, then its fields in brackets."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        fields = context_fields(record) | exception_fields(record)
        suffix = " ".join(f"{name}={_format_value(value)}" for name, value in fields.items())
        line = f"{_timestamp(record)} {self._process} {record.levelname} {record.getMessage()}"
        return "".join(letter if letter.isprintable() else " " for letter in (f"{line} [{suffix}]" if suffix else line))


def _format_value(value: LogValue) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{name}:{number}" for name, number in value.items())
    return str(value)

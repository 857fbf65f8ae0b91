"""One line of the log, for a person or for a machine.

Only fields that are named here get out: whoever logs a message's text by mistake logs nothing.
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
    "request",  # of the api: drawn for each, and told in X-Request-Id
    "method",
    "route",
    "status",
    "batch",  # writer:number, as the answer to a webhook and the ledger have it
    "batches",
    "event",  # writer:number:index
    "digest",
    "reason",
    "events",
    "outcomes",
    "seconds",
    "path",
    "trace_id",
)
"""In the order in which they are told. Identities and counts; never what somebody wrote, nor who."""
LOG_CONTEXT: ContextVar[dict[str, LogValue]] = ContextVar("about")
"""Fields of all that is logged in this context: the request that is being answered, for one."""
_MAX_FRAMES = 8
_REPOSITORY_ROOT = Path(__file__).resolve().parent.parent


def context_fields(record: logging.LogRecord) -> dict[str, LogValue]:
    """What the record and its context tell besides the message."""
    about = LOG_CONTEXT.get({})
    told = ((name, getattr(record, name, about.get(name))) for name in ALLOWED_FIELDS)
    return {name: value for name, value in told if value is not None}


def exception_fields(record: logging.LogRecord) -> dict[str, LogValue]:
    """The exception's type and place, not its words: PostgreSQL's quote the row, and Python's often the value."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    frames = traceback.extract_tb(record.exc_info[2])[-_MAX_FRAMES:]
    return {"error": record.exc_info[0].__name__, "where": [f"{_short_path(at.filename)}:{at.lineno}" for at in frames]}


def _short_path(filename: str) -> str:
    path = Path(filename)
    return (
        str(path.relative_to(_REPOSITORY_ROOT)) if path.is_relative_to(_REPOSITORY_ROOT) else "/".join(path.parts[-2:])
    )


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """An object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, LogValue] = {
            "at": _timestamp(record),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(said | context_fields(record) | exception_fields(record), separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """A sentence, and what else there is in brackets."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        told = context_fields(record) | exception_fields(record)
        more = " ".join(f"{name}={_format_value(value)}" for name, value in told.items())
        line = f"{_timestamp(record)} {self._process} {record.levelname} {record.getMessage()}"
        return "".join(letter if letter.isprintable() else " " for letter in (f"{line} [{more}]" if more else line))


def _format_value(value: LogValue) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{name}:{number}" for name, number in value.items())
    return str(value)

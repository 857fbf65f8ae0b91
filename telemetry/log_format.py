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

Value: TypeAlias = "str | int | float | bool | list[str] | dict[str, int] | None"

FIELDS = (
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
ABOUT: ContextVar[dict[str, Value]] = ContextVar("about")
"""Fields of all that is logged in this context: the request that is being answered, for one."""
_FRAMES = 8
_ROOT = Path(__file__).resolve().parent.parent


def fields(record: logging.LogRecord) -> dict[str, Value]:
    """What the record and its context tell besides the message."""
    about = ABOUT.get({})
    told = ((name, getattr(record, name, about.get(name))) for name in FIELDS)
    return {name: value for name, value in told if value is not None}


def failure(record: logging.LogRecord) -> dict[str, Value]:
    """The exception's type and place, not its words: PostgreSQL's quote the row, and Python's often the value."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    frames = traceback.extract_tb(record.exc_info[2])[-_FRAMES:]
    return {"error": record.exc_info[0].__name__, "where": [f"{_short(at.filename)}:{at.lineno}" for at in frames]}


def _short(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else "/".join(path.parts[-2:])


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Json(logging.Formatter):
    """An object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Value] = {
            "at": _at(record),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(said | fields(record) | failure(record), separators=(",", ":"))


class Text(logging.Formatter):
    """A sentence, and what else there is in brackets."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        told = fields(record) | failure(record)
        more = " ".join(f"{name}={_plain(value)}" for name, value in told.items())
        line = f"{_at(record)} {self._process} {record.levelname} {record.getMessage()}"
        return "".join(letter if letter.isprintable() else " " for letter in (f"{line} [{more}]" if more else line))


def _plain(value: Value) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{name}:{number}" for name, number in value.items())
    return str(value)

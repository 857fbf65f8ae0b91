"""Reads values from responses of gateways. Each kind of gateway has them at other paths."""

import json
import re
from collections.abc import Callable
from typing import Final, TypeAlias, cast

KeyPath: TypeAlias = tuple[str, ...]
"""The keys that lead to a value."""
GatewayCall: TypeAlias = Callable[..., object]
"""SenderClient.call: makes a request with a method, a path and JSON, and returns the JSON of the response."""

_LONG_ID: Final = re.compile(r"(?:true|false)_[^_]+_([^_]+)(?:_.*)?", re.DOTALL)
"""An id in the long form of WhatsApp Web, which contains the id of the message."""
_REASONS: Final[tuple[KeyPath, ...]] = (
    *(("error", "error_data", "details"), ("error", "message"), ("response", "message"), ("message",)),
    *(("error",), ("exception", "message"), ("exception",)),
)
"""The paths of a gateway's reason, the most informative first."""
_MAX_TEXT: Final = 2_048
_CODES: Final[tuple[KeyPath, ...]] = (("error", "code"), ("code",))


def message_id(fields: object, paths: tuple[KeyPath, ...]) -> str | None:
    """Return WhatsApp's id from the first of the paths that leads to one."""
    for path in paths:
        value = value_at(fields, path)
        if isinstance(value, str) and value:
            match = _LONG_ID.fullmatch(value)
            return match[1] if match else value
    return None


def reason(fields: object) -> str | None:
    """Return the gateway's reason for a refusal."""
    for path in _REASONS:
        value = value_at(fields, path)
        if isinstance(value, list) and value:
            entries = cast("list[object]", value)
            value = "; ".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in entries)
        if isinstance(value, str) and value.strip():
            return value
    return None


def error_code(fields: object) -> str | None:
    """Return the gateway's code for a refusal."""
    for path in _CODES:
        value = value_at(fields, path)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None


def value_at(fields: object, path: KeyPath) -> object:
    """Return the value at a path, or None if there is none. A list on the path is replaced by its first entry."""
    for key in path:
        if isinstance(fields, list) and fields:
            fields = cast("list[object]", fields)[0]
        if not isinstance(fields, dict):
            return None
        fields = cast("dict[str, object]", fields).get(key)
    return fields


def as_object(value: object) -> dict[str, object]:
    """Return the value if it is an object, otherwise an empty object."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, object]]:
    """Return the objects in a list, or none for any other value."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", item) for item in found if isinstance(item, dict)]


def text(value: object, limit: int = _MAX_TEXT) -> str | None:
    """Return a text or a number if it is not empty and not longer than the limit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= limit else None

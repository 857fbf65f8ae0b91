"""Reads the answers of gateways, each of which has the same things in other places."""

import json
import re
from typing import Final, TypeAlias, cast

Place: TypeAlias = tuple[str, ...]
"""The keys that lead to a value."""

_LONG_ID: Final = re.compile(r"(?:true|false)_[^_]+_([^_]+)(?:_.*)?", re.DOTALL)
"""WhatsApp Web's long form of an id, which contains WhatsApp's own."""
_REASONS: Final[tuple[Place, ...]] = (
    *(("error", "error_data", "details"), ("error", "message"), ("response", "message"), ("message",)),
    *(("error",), ("exception", "message"), ("exception",)),
)
"""The most telling first."""
_MAX_TEXT: Final = 2_048
_CODES: Final[tuple[Place, ...]] = (("error", "code"), ("code",))


def message_id(fields: object, places: tuple[Place, ...]) -> str | None:
    """WhatsApp's own id, from the first of the places that has one."""
    for place in places:
        value = at(fields, place)
        if isinstance(value, str) and value:
            match = _LONG_ID.fullmatch(value)
            return match[1] if match else value
    return None


def reason(fields: object) -> str | None:
    """The gateway's own reason for a refusal."""
    for place in _REASONS:
        value = at(fields, place)
        if isinstance(value, list) and value:
            entries = cast("list[object]", value)
            value = "; ".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in entries)
        if isinstance(value, str) and value.strip():
            return value
    return None


def error_code(fields: object) -> str | None:
    """The gateway's own code for a refusal."""
    for place in _CODES:
        value = at(fields, place)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None


def at(fields: object, place: Place) -> object:
    """The value at a place; None if there is none. A list on the way stands for its first entry."""
    for key in place:
        if isinstance(fields, list) and fields:
            fields = cast("list[object]", fields)[0]
        if not isinstance(fields, dict):
            return None
        fields = cast("dict[str, object]", fields).get(key)
    return fields


def as_object(value: object) -> dict[str, object]:
    """The value if it is an object; an empty one for any other value."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, object]]:
    """The objects of a list; none for any other value."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", item) for item in found if isinstance(item, dict)]


def text(value: object, limit: int = _MAX_TEXT) -> str | None:
    """A text or a number that is not empty and not longer than the limit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= limit else None

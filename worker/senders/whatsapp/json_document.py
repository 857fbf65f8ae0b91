"""Decodes any bytes as JSON, in time and memory proportional to their number.

Whether a body can be decoded is part of an event's identity (worker/senders/event_digest.py): a body that becomes
readable or unreadable changes its digest. The depth is therefore limited here, because the interpreter's own limit
differs by version.
"""

import json
import re
from collections.abc import Mapping
from typing import TypeAlias, cast

import orjson

from worker.senders.reasons import NoFactsError, Reason

JsonObject: TypeAlias = Mapping[str, object]

MAX_DEPTH = 128
_MAX_DIGITS = 40
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_TOO_LONG_NUMBER = b"0" * 19
"""The digits of a number that orjson may read as a float."""

_OPENING = frozenset("[{")
_CLOSING = frozenset("]}")
_STRUCTURE_PATTERN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A string or a bracket. A string may be unterminated; otherwise a body of quotes would take quadratic time."""


def _parse_integer(digits: str) -> int | None:
    """Return the number, or None if it has more digits than any field needs.

    With more than 4,300 digits, Python would reject the whole event.
    """
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _drop_constant(_: str) -> None:
    """Return null for NaN and Infinity, which Python's encoder writes. Only the field is lost, not the message."""


_DECODER = json.JSONDecoder(
    parse_int=_parse_integer,
    parse_constant=_drop_constant,
    # Accepts a raw line break inside a string, as typed into curl.
    strict=False,
)


def decode(body: bytes) -> JsonObject:
    """Return the JSON object in the body, with the last value of a repeated key. Raises NoFactsError."""
    fields = as_object(_decode_plain(body))
    return _decode_any(body) if fields is None else fields


def _decode_plain(body: bytes) -> object:
    """Return the value of ordinary JSON, without long numbers or deep nesting, or None for any other body."""
    is_deep = body.count(b"[") + body.count(b"{") > MAX_DEPTH
    if is_deep or _TOO_LONG_NUMBER in body.translate(_DIGITS_AS_ZERO):
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _decode_any(body: bytes) -> JsonObject:
    if not body:
        raise NoFactsError(Reason.EMPTY_BODY)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NoFactsError(Reason.NOT_UTF8) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
        raise NoFactsError(Reason.NESTED_TOO_DEEPLY)
    try:
        value: object = _DECODER.decode(text.removeprefix("\ufeff"))
    except json.JSONDecodeError:
        raise NoFactsError(Reason.NOT_JSON) from None
    except RecursionError:
        raise NoFactsError(Reason.NESTED_TOO_DEEPLY) from None
    fields = as_object(value)
    if fields is None:
        raise NoFactsError(Reason.NOT_AN_OBJECT)
    return fields


def as_object(value: object) -> JsonObject | None:
    """Return the value if it is a JSON object."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def object_at(fields: JsonObject, key: str) -> JsonObject:
    """Return the JSON object under the key, or an empty one for any other value."""
    value = fields.get(key)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object] | None:
    """Return the value if it is a JSON list."""
    return cast("list[object]", value) if isinstance(value, list) else None


def objects(value: object) -> tuple[JsonObject, ...]:
    """Return the JSON objects in a list, or none for any other value."""
    return tuple(cast("JsonObject", each) for each in as_list(value) or () if isinstance(each, dict))


def _is_too_deep(text: str) -> bool:
    depth = 0
    for match in _STRUCTURE_PATTERN.finditer(text):
        token = match[0]
        if token in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token in _CLOSING:
            depth -= 1
    return False

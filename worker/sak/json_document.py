"""Bytes to JSON, for any bytes, in time and memory proportional to their number.

What this module can read is part of an event's identity (worker/sak/identity.py): a body that starts or stops to be
readable changes its digest. So the depth is counted here; the interpreter's own limit differs by version.
"""

import json
import re
from collections.abc import Mapping
from typing import TypeAlias, cast

from worker.sak.reasons import Reason, UnreadableError

Fields: TypeAlias = Mapping[str, object]

MAX_DEPTH = 128
_MAX_DIGITS = 40

_OPENING = frozenset("[{")
_CLOSING = frozenset("]}")
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A string or a bracket. A string may lack its end, or a body of quotes alone would take quadratic time."""


def _integer(digits: str) -> int | None:
    """No field of ours needs more digits; beyond 4,300 Python refuses, and would cost the whole event."""
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _no_number(_: str) -> None:
    """NaN and Infinity are no JSON, but Python's own encoder writes them: the field is lost, the message is not."""


_DECODER = json.JSONDecoder(
    parse_int=_integer,
    parse_constant=_no_number,
    # A raw line break inside a string: what people type into curl.
    strict=False,
)


def decode(body: bytes) -> Fields:
    """The JSON object that the body holds; of a repeated key the last value. Raises UnreadableError."""
    if not body:
        raise UnreadableError(Reason.EMPTY_BODY)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise UnreadableError(Reason.NOT_UTF8) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
        raise UnreadableError(Reason.NESTED_TOO_DEEPLY)
    try:
        value: object = _DECODER.decode(text.removeprefix("\ufeff"))
    except json.JSONDecodeError:
        raise UnreadableError(Reason.NOT_JSON) from None
    except RecursionError:
        raise UnreadableError(Reason.NESTED_TOO_DEEPLY) from None
    fields = mapping(value)
    if fields is None:
        raise UnreadableError(Reason.NOT_AN_OBJECT)
    return fields


def mapping(value: object) -> Fields | None:
    """The value if it is a JSON object."""
    return cast("Fields", value) if isinstance(value, dict) else None


def sequence(value: object) -> list[object] | None:
    """The value if it is a JSON list."""
    return cast("list[object]", value) if isinstance(value, list) else None


def _is_too_deep(text: str) -> bool:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        found = match[0]
        if found in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif found in _CLOSING:
            depth -= 1
    return False

"""Parses timestamps in any unit or spelling as milliseconds since 1970 (UTC)."""

import math
import re
from datetime import UTC, datetime, timedelta

from worker.senders.whatsapp import json_document

MAX_MILLISECONDS = 253_402_300_799_999
"""The last millisecond of the year 9999, which PostgreSQL and Python support."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER_PATTERN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_MAX_LENGTH = 40

# The value that means the year 5138 in seconds means 1973 in milliseconds, and so on by factors of a thousand.
_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14
_MICROSECONDS_BELOW = 10**17
_NANOSECONDS_BELOW = 10**20


def parse(value: object) -> int | None:
    """Return milliseconds since 1970, or None for a value that is no time between 1970 and 9999 or has no zone."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else _to_milliseconds(value)
    if isinstance(value, float):
        return _fraction_to_milliseconds(value)
    if isinstance(value, str):
        return _parse_string(value)
    fields = json_document.as_object(value)
    return None if fields is None else _parse_object(fields)


def _to_milliseconds(number: int) -> int | None:
    if number < _SECONDS_BELOW:
        milliseconds = number * 1000
    elif number < _MILLISECONDS_BELOW:
        milliseconds = number
    elif number < _MICROSECONDS_BELOW:
        milliseconds = number // 1000
    elif number < _NANOSECONDS_BELOW:
        milliseconds = number // 1_000_000
    else:
        return None
    return milliseconds if 0 < milliseconds <= MAX_MILLISECONDS else None


def _fraction_to_milliseconds(number: float) -> int | None:
    if not math.isfinite(number):
        return None
    # Only seconds have a relevant fraction. The other units are finer than a millisecond.
    return _to_milliseconds(round(number * 1000)) if _SECONDS_BELOW > number >= 10**8 else _to_milliseconds(int(number))


def _parse_string(string: str) -> int | None:
    if len(string) > _MAX_LENGTH:
        return None
    string = string.strip()
    if _NUMBER_PATTERN.fullmatch(string):
        return _fraction_to_milliseconds(float(string)) if "." in string else _to_milliseconds(int(string))
    try:
        moment = datetime.fromisoformat(string)
    except ValueError:
        return None
    if moment.tzinfo is None:
        # The zone is unknown, and reading it as UTC would be off by hours. The receipt is closer and keeps the order.
        return None
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    return milliseconds if 0 < milliseconds <= MAX_MILLISECONDS else None


def _parse_object(fields: json_document.JsonObject) -> int | None:
    """Return the value of a JavaScript Long, or of protobuf's `seconds`, which may itself be a Long."""
    seconds = fields.get("seconds")
    inner = json_document.as_object(seconds)
    if inner is not None:
        return _parse_long(inner)
    return _parse_long(fields) if seconds is None else parse(seconds)


def _parse_long(fields: json_document.JsonObject) -> int | None:
    """Return the value of `low` and `high`, signed 32-bit halves as in JavaScript. `unsigned` applies to the whole."""
    low = fields.get("low")
    high = fields.get("high", 0)
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    number = (high & 0xFFFFFFFF) << 32 | (low & 0xFFFFFFFF)
    is_negative = number >= 1 << 63 and fields.get("unsigned") is not True
    return None if is_negative else _to_milliseconds(number)

"""Parses query parameters. An invalid value is rejected with an error that names the parameter.

A parameter that is given twice is also rejected, because it is ambiguous. api/openapi/query_parameters.py rejects
unknown parameters.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from starlette.requests import Request

from api.http import errors

MAX_LIMIT = 500
_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_MAX_TEXT_LENGTH = 512


def text(request: Request, name: str) -> str | None:
    """Return the value unchanged, or None if it is absent or empty."""
    value = _value(request, name)
    if not value:
        return None
    if "\0" in value or len(value) > _MAX_TEXT_LENGTH:
        raise errors.bad_parameter(f"{name} must have at most {_MAX_TEXT_LENGTH} characters and no NUL.")
    return value


def is_storable(value: str) -> bool:
    """Return whether PostgreSQL accepts the text, which must contain neither NUL nor lone surrogates."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def cursor(request: Request, name: str) -> str | None:
    """Return a cursor without decoding it, or None if it is absent or empty."""
    return _value(request, name) or None


def limit(request: Request, default: int) -> int:
    """Return the page size, from 1 to MAX_LIMIT."""
    value = _value(request, "limit")
    if value is None:
        return default
    if not _DIGITS.fullmatch(value) or not 1 <= int(value) <= MAX_LIMIT:
        raise errors.bad_request("bad_limit", f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(value)


def boolean(request: Request, name: str) -> bool:
    value = _value(request, name)
    if value is None:
        return False
    if value.lower() not in _BOOLEANS:
        raise errors.bad_parameter(f"{name} must be true or false.")
    return _BOOLEANS[value.lower()]


def choice(request: Request, name: str, choices: Iterable[str]) -> str | None:
    value = _value(request, name)
    if value is None:
        return None
    if value not in choices:
        raise errors.bad_parameter(f"{name} must be one of {', '.join(choices)}.")
    return value


def timestamp(request: Request, name: str) -> int | None:
    """Return milliseconds since 1970, given as such or as ISO 8601 (in UTC if it has no offset)."""
    value = _value(request, name)
    return parse_timestamp(name, value) if value else None


def parse_timestamp(name: str, value: str) -> int:
    """Return the milliseconds of such a time from any part of the request. Raises ApiError with the name."""
    if _DIGITS.fullmatch(value):
        return int(value)
    try:
        # A '+' that was not escaped arrives as a space.
        at = datetime.fromisoformat(value.replace(" ", "+") if value.count(" ") == 1 and "T" in value else value)
    except ValueError as error:
        raise errors.bad_parameter(f"{name} must be a time: ISO 8601, or milliseconds since 1970.") from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000))


def _value(request: Request, name: str) -> str | None:
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise errors.bad_parameter(f"{name} is given more than once.")
    return values[0] if values else None

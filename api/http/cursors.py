"""Encodes positions and snapshots as opaque text with a checksum, so that only unchanged ones are accepted."""

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from typing import Any, cast

import orjson
from starlette.requests import Request

from api.http import errors, parameters
from api.http.errors import ApiError

_MAX_LENGTH = 8192
_BIGINT_LIMIT = 2**63


def encode(kind: str, *values: str | int) -> str:
    """Return text of letters, digits, '-' and '_', from which `decode` restores the values."""
    plain = orjson.dumps([kind, *values])
    return base64.urlsafe_b64encode(zlib.crc32(plain).to_bytes(4) + plain).decode().rstrip("=")


def to_json(kind: str, values: Iterable[str | int] | None) -> str:
    """Return the cursor of these values as JSON text, or `null` if there are none."""
    return "null" if values is None else f'"{encode(kind, *values)}"'


def requested(request: Request, parameter: str, kind: str, *types: type[str | int]) -> tuple[Any, ...] | None:
    """Return the values, of these types, of a cursor in the query, or None if it is absent or empty.

    Raises ApiError.
    """
    text = parameters.cursor(request, parameter)
    return None if text is None else decode(kind, parameter, text, *types)


def decode(kind: str, parameter: str, text: str, *types: type[str | int]) -> tuple[Any, ...]:
    """Return the values of a cursor of this kind. Raises ApiError naming the parameter for any other text."""
    values = try_decode(kind, text, *types)
    if values is None:
        raise invalid(parameter)
    return values


def try_decode(kind: str, text: str, *types: type[str | int]) -> tuple[Any, ...] | None:
    """Return the values of a cursor of this kind, or None for any other text."""
    parts = _load(text)
    if not isinstance(parts, list):
        return None
    cursor_kind, *values = cast("list[object]", parts) or [None]
    if cursor_kind != kind or len(values) != len(types):
        return None
    if not all(_is_valid(value, type_) for value, type_ in zip(values, types, strict=True)):
        return None
    return tuple(values)


def invalid(parameter: str) -> ApiError:
    """Return the error for a parameter that is not a cursor of the requested list."""
    return errors.bad_request("bad_cursor", f"{parameter} is not a cursor of this list: use one from its response.")


def _load(text: str) -> object:
    if len(text) > _MAX_LENGTH or not text.isascii():
        return None
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return json.loads(sealed[4:]) if zlib.crc32(sealed[4:]).to_bytes(4) == sealed[:4] else None
    except (binascii.Error, ValueError, RecursionError):
        return None


def _is_valid(value: object, type_: type[str | int]) -> bool:
    """Return whether PostgreSQL accepts the value: bigint, or text without NUL and lone surrogates."""
    if isinstance(value, str):
        return type_ is str and parameters.is_storable(value)
    if type_ is not int or isinstance(value, bool):
        return False
    return isinstance(value, int) and -_BIGINT_LIMIT <= value < _BIGINT_LIMIT

"""Positions and snapshots as opaque texts: what we gave out comes back unchanged, or is refused."""

import base64
import binascii
import json
import zlib
from typing import TypeAlias, cast

from api.http import errors

CursorValue: TypeAlias = str | int

_MAX_LENGTH = 8192
_BIGINT_LIMIT = 2**63


def encode(kind: str, *values: CursorValue) -> str:
    """A text of letters, digits, '-' and '_' that `unseal` turns back into the parts."""
    plain = json.dumps([kind, *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.crc32(plain).to_bytes(4) + plain).decode().rstrip("=")


def decode(kind: str, parameter: str, text: str, *types: type[CursorValue]) -> list[CursorValue]:
    """The parts of a text that `seal` made for this kind; raises Refusal, naming the parameter, for any other."""
    parts = try_decode(kind, text, *types)
    if parts is None:
        raise errors.bad_request("bad_cursor", f"{parameter} is not a value that this API gave out for this list.")
    return parts


def try_decode(kind: str, text: str, *types: type[CursorValue]) -> list[CursorValue] | None:
    """The parts if `seal` made the text for this kind, else None."""
    found = _load(text)
    if not isinstance(found, list):
        return None
    head, *parts = cast("list[object]", found) or [None]
    if head != kind or len(parts) != len(types):
        return None
    if not all(_is_valid(part, wanted) for part, wanted in zip(parts, types, strict=True)):
        return None
    return cast("list[CursorValue]", parts)


def _load(text: str) -> object:
    if len(text) > _MAX_LENGTH or not text.isascii():
        return None
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return json.loads(sealed[4:]) if zlib.crc32(sealed[4:]).to_bytes(4) == sealed[:4] else None
    except (binascii.Error, ValueError, RecursionError):
        return None


def _is_valid(value: object, type_: type[CursorValue]) -> bool:
    """What PostgreSQL takes, too: bigints, and text without NUL and lone surrogates."""
    if isinstance(value, str):
        return type_ is str and "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
    return (
        type_ is int
        and isinstance(value, int)
        and not isinstance(value, bool)
        and -_BIGINT_LIMIT <= value < _BIGINT_LIMIT
    )

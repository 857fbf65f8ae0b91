"""Positions and snapshots as opaque texts: what we gave out comes back unchanged, or is refused."""

import base64
import binascii
import json
import zlib
from typing import TypeAlias, cast

from api.http import errors

Part: TypeAlias = str | int

_MAX = 8192
_BIGINT = 2**63


def seal(kind: str, *parts: Part) -> str:
    """A text of letters, digits, '-' and '_' that `unseal` turns back into the parts."""
    plain = json.dumps([kind, *parts], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.crc32(plain).to_bytes(4) + plain).decode().rstrip("=")


def unseal(kind: str, name: str, text: str, *types: type[Part]) -> list[Part]:
    """The parts of a text that `seal` made for this kind; raises Refusal, naming the parameter, for any other."""
    parts = open_if(kind, text, *types)
    if parts is None:
        raise errors.bad("bad_cursor", f"{name} is not a value that this API gave out for this list.")
    return parts


def open_if(kind: str, text: str, *types: type[Part]) -> list[Part] | None:
    """The parts if `seal` made the text for this kind, else None."""
    found = _opened(text)
    if not isinstance(found, list):
        return None
    head, *parts = cast("list[object]", found) or [None]
    if head != kind or len(parts) != len(types):
        return None
    if not all(_is(part, wanted) for part, wanted in zip(parts, types, strict=True)):
        return None
    return cast("list[Part]", parts)


def _opened(text: str) -> object:
    if len(text) > _MAX or not text.isascii():
        return None
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return json.loads(sealed[4:]) if zlib.crc32(sealed[4:]).to_bytes(4) == sealed[:4] else None
    except (binascii.Error, ValueError, RecursionError):
        return None


def _is(part: object, wanted: type[Part]) -> bool:
    """What PostgreSQL takes, too: bigints, and text without NUL and lone surrogates."""
    if isinstance(part, str):
        return wanted is str and "\0" not in part and not any("\ud800" <= one <= "\udfff" for one in part)
    return wanted is int and isinstance(part, int) and not isinstance(part, bool) and -_BIGINT <= part < _BIGINT

"""Splits bodies of the type multipart/form-data, which ingest verifies and the worker parses.

Such a body starts with its own delimiter, so it can be read without a header.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

_MAX_PARTS: Final = 16
_MAX_DELIMITER: Final = 72
"""The greatest length of a delimiter in bytes: two hyphens, and a boundary of at most 70 characters."""
_NAME: Final = re.compile(rb'^content-disposition:[^\r\n]*?[; ]name="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)
_FILE_NAME: Final = re.compile(rb"^content-disposition:[^\r\n]*?[; ]filename=", re.IGNORECASE | re.MULTILINE)


class Part(NamedTuple):
    """One part of a form."""

    headers: bytes
    name: bytes
    is_file: bool
    content: bytes


def is_form_data(body: bytes) -> bool:
    """Return whether the body starts with a delimiter."""
    return body[:2] == b"--"


def split(body: bytes) -> tuple[Part, ...]:
    """Return the parts, or none if the body is not a complete form."""
    delimiter = _delimiter(body)
    if delimiter is None:
        return ()
    first, *pieces = (b"\r\n" + body).split(b"\r\n" + delimiter, _MAX_PARTS + 1)
    if first or not pieces or pieces[-1].removesuffix(b"\r\n") != b"--":
        return ()
    parts = [_part(piece) for piece in pieces[:-1]]
    found = tuple(part for part in parts if part is not None)
    return found if len(found) == len(parts) else ()


def fields(body: bytes) -> dict[str, str]:
    """Return the values of the parts that are not files, by name. The last one of the same name counts."""
    return {
        part.name.decode(errors="replace"): part.content.decode(errors="replace")
        for part in split(body)
        if not part.is_file
    }


def join(body: bytes, parts: Iterable[Part]) -> bytes:
    """Return a form with these parts and the delimiter of the body."""
    delimiter = _delimiter(body) or b"--"
    lines = [line for part in parts for line in (delimiter, part.headers + b"\r\n", part.content)]
    return b"\r\n".join([*lines, delimiter + b"--", b""])


def _delimiter(body: bytes) -> bytes | None:
    end = body.find(b"\r\n", 0, _MAX_DELIMITER + 2)
    return body[:end] if end > 2 and is_form_data(body) else None


def _part(piece: bytes) -> Part | None:
    headers, separator, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    name = _NAME.search(headers)
    if not separator or name is None:
        return None
    return Part(headers, name[1], _FILE_NAME.search(headers) is not None, content)

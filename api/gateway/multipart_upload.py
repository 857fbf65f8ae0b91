"""Encodes a file as a multipart body in chunks, so that it is never in memory as a whole."""

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from urllib.parse import quote

from urllib3.fields import RequestField

from api.gateway.errors import IncompleteFileError

CHUNK_BYTES = 65536


class MultipartUpload:
    """An iterable of chunks that has a length and can be iterated again."""

    def __init__(  # noqa: PLR0913 -- a part of a form has that many properties
        self, fields: Mapping[str, str], field_name: str, file: BinaryIO, *, name: str, mime_type: str, size: int
    ) -> None:
        """Create a body with `size` bytes from the file's current position."""
        if not re.fullmatch(r"[\x21-\x7e]+(; ?[\x21-\x7e]+)*", mime_type):
            raise ValueError(f"{mime_type!r} is no media type")
        self._file = file
        self._start = file.tell()
        self._size = size
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            _part_header(boundary, RequestField(key, b""), None) + value.encode(errors="replace") + b"\r\n"
            for key, value in fields.items()
        ]
        header = _part_header(boundary, _file_field(field_name, name), mime_type)
        self._prefix = b"".join([*parts, header])
        self._suffix = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._prefix) + self._size + len(self._suffix)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        yield self._prefix
        remaining = self._size
        while remaining:
            chunk = self._file.read(min(CHUNK_BYTES, remaining))
            if not chunk:
                raise IncompleteFileError(f"the file ended {remaining} bytes before its declared size; not sent")
            remaining -= len(chunk)
            yield chunk
        yield self._suffix


def _file_field(field_name: str, name: str) -> RequestField:
    """Return a field with the file name in UTF-8, and in RFC 5987 form if it is not ASCII, as SAK reads Latin-1."""
    name = name.encode(errors="replace").decode()
    field = RequestField(field_name, b"", filename=name)
    field.make_multipart()
    if not name.isascii():
        field.headers["Content-Disposition"] = f"{field.headers['Content-Disposition']}; filename*=UTF-8''{quote(name)}"
    return field


def _part_header(boundary: str, field: RequestField, mime_type: str | None) -> bytes:
    if "Content-Disposition" not in field.headers:
        field.make_multipart()
    if mime_type is not None:
        field.headers["Content-Type"] = mime_type
    return f"--{boundary}\r\n{field.render_headers()}".encode(errors="replace")

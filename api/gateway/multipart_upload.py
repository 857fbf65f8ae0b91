"""Encodes a file as a multipart body in chunks, so that it is never in memory as a whole."""

import re
import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from urllib3.fields import RequestField

from api.gateway.errors import IncompleteFileError
from api.gateway.media import MediaFile

CHUNK_BYTES = 65536


class MultipartUpload:
    """An iterable of chunks that has a length and can be iterated again."""

    def __init__(self, fields: Mapping[str, str], file_field: str, file: MediaFile) -> None:
        """Create a body with `file.size` bytes from the current position of the stream."""
        if not re.fullmatch(r"[\x21-\x7e]+(; ?[\x21-\x7e]+)*", file.mime_type):
            raise ValueError(f"{file.mime_type!r} is no media type")
        self._stream = file.stream
        self._start = file.stream.tell()
        self._size = file.size
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            _part_header(boundary, key) + value.encode(errors="replace") + b"\r\n" for key, value in fields.items()
        ]
        self._prefix = b"".join([*parts, _part_header(boundary, file_field, file.name, file.mime_type)])
        self._suffix = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._prefix) + self._size + len(self._suffix)

    def __iter__(self) -> Iterator[bytes]:
        self._stream.seek(self._start)
        yield self._prefix
        remaining = self._size
        while remaining:
            chunk = self._stream.read(min(CHUNK_BYTES, remaining))
            if not chunk:
                raise IncompleteFileError(f"the file ended {remaining} bytes before its declared size; not sent")
            remaining -= len(chunk)
            yield chunk
        yield self._suffix


def _part_header(boundary: str, name: str, file_name: str | None = None, mime_type: str | None = None) -> bytes:
    """Return the header with the file name in UTF-8, and in RFC 5987 form if it is not ASCII, as SAK reads Latin-1."""
    file_name = file_name and file_name.encode(errors="replace").decode()
    field = RequestField(name, b"", filename=file_name)
    field.make_multipart(content_type=mime_type)
    if file_name and not file_name.isascii():
        field.headers["Content-Disposition"] = (
            f"{field.headers['Content-Disposition']}; filename*=UTF-8''{quote(file_name)}"
        )
    return f"--{boundary}\r\n{field.render_headers()}".encode(errors="replace")

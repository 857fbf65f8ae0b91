import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Protocol

from urllib3.fields import RequestField

from api.gateway.errors import IncompleteFileError

CHUNK_BYTES = 65536


class ReadableFile(Protocol):
    """What of a binary file is needed."""

    def read(self, size: int, /) -> bytes: ...
    def seekable(self) -> bool: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class MultipartUpload:
    """A multipart body that reads its file while it is sent, a chunk at a time."""

    def __init__(  # noqa: PLR0913 -- a part of a form has that many properties
        self,
        fields: Mapping[str, str],
        field_name: str,
        file: ReadableFile,
        *,
        file_name: str,
        mime_type: str,
        size: int | None = None,
    ) -> None:
        """`size` of the file from here on: needed only where it cannot be sought."""
        if not re.fullmatch(r"[\x21-\x7e]+(; ?[\x21-\x7e]+)*", mime_type):
            raise ValueError("this is no media type")
        self.repeatable = file.seekable()
        self._file = file
        self._start = file.tell() if self.repeatable else 0
        if size is None:
            if not self.repeatable:
                raise ValueError("a file that cannot be sought needs its size told")
            size = file.seek(0, os.SEEK_END) - self._start
        self._size = size
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            _part_header(boundary, RequestField(key, b""), None) + word.encode(errors="replace") + b"\r\n"
            for key, word in fields.items()
        ]
        self._prefix = b"".join(
            [*parts, _part_header(boundary, RequestField(field_name, b"", filename=file_name), mime_type)]
        )
        self._suffix = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._prefix) + self._size + len(self._suffix)

    def __iter__(self) -> Iterator[bytes]:
        if self.repeatable:
            self._file.seek(self._start)
        yield self._prefix
        left = self._size
        while left:
            chunk = self._file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise IncompleteFileError(f"the file ended {left} bytes before its announced size; nothing was sent")
            left -= len(chunk)
            yield chunk
        yield self._suffix


def _part_header(boundary: str, field: RequestField, mime_type: str | None) -> bytes:
    field.make_multipart(content_type=mime_type)
    return f"--{boundary}\r\n{field.render_headers()}".encode(errors="replace")

"""Defines the files that messages carry."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeAlias, get_args

MediaKind: TypeAlias = Literal["image", "document", "video"]
MEDIA_KINDS: tuple[MediaKind, ...] = get_args(MediaKind)
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class MediaFile:
    kind: MediaKind
    stream: BinaryIO
    """Must stay open until the message is sent."""
    name: str
    mime_type: str
    size: int

    def digest(self) -> str:
        """Return the SHA-256 of the content in hexadecimal digits."""
        digest = hashlib.sha256()
        self.stream.seek(0)
        while chunk := self.stream.read(_CHUNK_BYTES):
            digest.update(chunk)
        return digest.hexdigest()

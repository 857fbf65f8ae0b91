"""What a client asks to have sent: `{to, text, session_id?}`, or a form with a file and its caption."""

import hashlib
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import BinaryIO, cast

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.gateway.client import MediaKind
from api.http import errors, parameters
from api.http.errors import Refusal
from api.sending import filetype
from store.sending.sends import Kind

LONGEST_TEXT = 65_536
"""Characters, as WhatsApp's own clients take."""
LONGEST_CAPTION = 1_024
_BODY = 1 << 20
_AROUND = 1 << 16
"""What a form may hold beside its file."""
_CHUNK = 1 << 16
_FILES: tuple[MediaKind, ...] = ("image", "document", "video")


@dataclass(frozen=True, slots=True)
class File:
    content: BinaryIO
    """Open as long as the form is."""
    name: str
    mime_type: str
    """By its content."""
    size: int

    def digest(self) -> str:
        """Tells it from every other file."""
        digest = hashlib.sha256()
        self.content.seek(0)
        while chunk := self.content.read(_CHUNK):
            digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Letter:
    to: str
    kind: Kind
    text: str | None
    """Of a file, the caption."""
    session_id: str | None
    file: File | None = None


async def read(request: Request) -> Letter:
    """The letter in a JSON body; raises Refusal."""
    body = await parameters.body(request, _BODY)
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.bad("bad_json", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise errors.bad("bad_json", "The body must be a JSON object.")
    fields = cast("dict[str, object]", found)
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise errors.bad("bad_parameter", "text must be a text that is not empty.")
    return Letter(_to(fields.get("to")), "text", written("text", text, LONGEST_TEXT), _session(fields))


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


class _Parser(MultiPartParser):
    """Knows whether the form came to its end: without it, the last part may be half of what was sent."""

    ended = False

    def on_end(self) -> None:
        self.ended = True

    async def whole(self) -> FormData:
        form = await self.parse()
        if not self.ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it breaks off")
        return form


async def form(request: Request, most: int) -> FormData:
    """The form, whose file is on disk if it is not small; to be closed. Raises Refusal beyond `most` bytes of file."""
    parser = _Parser(request.headers, _bounded(request, most + _AROUND), max_files=1, max_fields=8)
    try:
        return await parser.whole()
    except MultiPartException as error:
        raise errors.bad("bad_form", f"The form cannot be read: {error.message.rstrip('.')}.") from error


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            # What is still on its way is not waited for.
            sentence = f"The form is larger than {most} bytes."
            raise Refusal(413, "body_too_large", sentence, {"connection": "close"})
        yield part


def of_form(fields: FormData, most: int) -> Letter:
    """The letter in a form; raises Refusal."""
    for name in ("to", "caption", "session_id", *_FILES):
        if len(fields.getlist(name)) > 1:
            raise errors.bad("bad_parameter", f"{name} is given more than once.")
    kinds: list[MediaKind] = [kind for kind in _FILES if isinstance(fields.get(kind), UploadFile)]
    if len(kinds) != 1:
        raise errors.bad("bad_parameter", f"The form must have one file, named {', '.join(_FILES)}.")
    upload = cast("UploadFile", fields[kinds[0]])
    size = upload.size or 0
    if size > most:
        raise Refusal(413, "body_too_large", f"The file is larger than {most} bytes.")
    caption = fields.get("caption")
    text = written("caption", caption, LONGEST_CAPTION) if isinstance(caption, str) and caption else None
    name = _file_name(upload.filename, kinds[0])
    return Letter(_to(fields.get("to")), kinds[0], text, _session(fields), file(kinds[0], upload.file, name, size))


def file(kind: MediaKind, content: BinaryIO, name: str, size: int) -> File:
    """A file that may be sent as this kind; raises Refusal."""
    content.seek(0)
    mime_type = filetype.checked(kind, content.read(filetype.HEAD), name)
    content.seek(0)
    return File(content, name, mime_type, size)


def written(name: str, text: str, longest: int) -> str:
    """A text that PostgreSQL and the gateway can keep; raises Refusal."""
    if len(text) > longest:
        raise errors.bad("bad_parameter", f"{name} is longer than {longest} characters.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise errors.bad("bad_parameter", f"{name} has a NUL or half of a surrogate pair in it.")
    return text


def _to(value: object) -> str:
    # A number that a program did not put into quotes means the same.
    to = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(to, str) or not to.strip():
        raise errors.bad("bad_parameter", "to must be a phone number with its country code.")
    return written("to", to, 128)


def _session(fields: "dict[str, object] | FormData") -> str | None:
    value = fields.get("session_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise errors.bad("bad_parameter", "session_id must be a text.")
    return written("session_id", value, 200)


def _file_name(given: str | None, kind: MediaKind) -> str:
    """The name without folders and without what would break a header."""
    last = re.split(r"[/\\]", given or "")[-1]
    name = "".join(character for character in last if character.isprintable() and not "\ud800" <= character <= "\udfff")
    stem, dot, suffix = name.strip().rpartition(".")
    return f"{(stem or suffix)[:120]}{dot}{suffix[:16]}" if stem else (suffix[:120] or kind)

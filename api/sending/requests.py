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
from api.http.errors import ApiError
from api.sending import filetype
from store.sending.sends import SendKind

MAX_TEXT_LENGTH = 65_536
"""Characters, as WhatsApp's own clients take."""
MAX_CAPTION_LENGTH = 1_024
_MAX_JSON_BYTES = 1 << 20
_MAX_FORM_OVERHEAD = 1 << 16
"""What a form may hold beside its file."""
_CHUNK_BYTES = 1 << 16
_MEDIA_FIELDS: tuple[MediaKind, ...] = ("image", "document", "video")


@dataclass(frozen=True, slots=True)
class Attachment:
    stream: BinaryIO
    """Open as long as the form is."""
    name: str
    mime_type: str
    """By its content."""
    size: int

    def digest(self) -> str:
        """Tells it from every other file."""
        digest = hashlib.sha256()
        self.stream.seek(0)
        while chunk := self.stream.read(_CHUNK_BYTES):
            digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class SendRequest:
    to: str
    kind: SendKind
    text: str | None
    """Of a file, the caption."""
    session_id: str | None
    attachment: Attachment | None = None


async def read_json(request: Request) -> SendRequest:
    """The letter in a JSON body; raises Refusal."""
    body = await parameters.read_body(request, _MAX_JSON_BYTES)
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request("bad_json", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise errors.bad_request("bad_json", "The body must be a JSON object.")
    fields = cast("dict[str, object]", found)
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise errors.bad_request("bad_parameter", "text must be a text that is not empty.")
    return SendRequest(
        _parse_recipient(fields.get("to")), "text", check_text("text", text, MAX_TEXT_LENGTH), _parse_session_id(fields)
    )


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


class _CompleteFormParser(MultiPartParser):
    """Knows whether the form came to its end: without it, the last part may be half of what was sent."""

    reached_end = False

    def on_end(self) -> None:
        self.reached_end = True

    async def parse_complete(self) -> FormData:
        form = await self.parse()
        if not self.reached_end:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it breaks off")
        return form


async def read_form(request: Request, max_file_bytes: int) -> FormData:
    """The form, whose file is on disk if it is not small; to be closed. Raises Refusal beyond `most` bytes of file."""
    parser = _CompleteFormParser(
        request.headers, _limited_stream(request, max_file_bytes + _MAX_FORM_OVERHEAD), max_files=1, max_fields=8
    )
    try:
        return await parser.parse_complete()
    except MultiPartException as error:
        raise errors.bad_request("bad_form", f"The form cannot be read: {error.message.rstrip('.')}.") from error


async def _limited_stream(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            # What is still on its way is not waited for.
            sentence = f"The form is larger than {max_bytes} bytes."
            raise ApiError(413, "body_too_large", sentence, {"connection": "close"})
        yield part


def from_form(form: FormData, max_file_bytes: int) -> SendRequest:
    """The letter in a form; raises Refusal."""
    for name in ("to", "caption", "session_id", *_MEDIA_FIELDS):
        if len(form.getlist(name)) > 1:
            raise errors.bad_request("bad_parameter", f"{name} is given more than once.")
    kinds: list[MediaKind] = [kind for kind in _MEDIA_FIELDS if isinstance(form.get(kind), UploadFile)]
    if len(kinds) != 1:
        raise errors.bad_request("bad_parameter", f"The form must have one file, named {', '.join(_MEDIA_FIELDS)}.")
    upload = cast("UploadFile", form[kinds[0]])
    size = upload.size or 0
    if size > max_file_bytes:
        raise ApiError(413, "body_too_large", f"The file is larger than {max_file_bytes} bytes.")
    caption = form.get("caption")
    text = check_text("caption", caption, MAX_CAPTION_LENGTH) if isinstance(caption, str) and caption else None
    name = _sanitize_file_name(upload.filename, kinds[0])
    return SendRequest(
        _parse_recipient(form.get("to")),
        kinds[0],
        text,
        _parse_session_id(form),
        attachment(kinds[0], upload.file, name, size),
    )


def attachment(kind: MediaKind, stream: BinaryIO, name: str, size: int) -> Attachment:
    """A file that may be sent as this kind; raises Refusal."""
    stream.seek(0)
    mime_type = filetype.validate(kind, stream.read(filetype.SNIFF_BYTES), name)
    stream.seek(0)
    return Attachment(stream, name, mime_type, size)


def check_text(field: str, text: str, max_length: int) -> str:
    """A text that PostgreSQL and the gateway can keep; raises Refusal."""
    if len(text) > max_length:
        raise errors.bad_request("bad_parameter", f"{field} is longer than {max_length} characters.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise errors.bad_request("bad_parameter", f"{field} has a NUL or half of a surrogate pair in it.")
    return text


def _parse_recipient(value: object) -> str:
    # A number that a program did not put into quotes means the same.
    to = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(to, str) or not to.strip():
        raise errors.bad_request("bad_parameter", "to must be a phone number with its country code.")
    return check_text("to", to, 128)


def _parse_session_id(fields: "dict[str, object] | FormData") -> str | None:
    value = fields.get("session_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise errors.bad_request("bad_parameter", "session_id must be a text.")
    return check_text("session_id", value, 200)


def _sanitize_file_name(given: str | None, kind: MediaKind) -> str:
    """The name without folders and without what would break a header."""
    last = re.split(r"[/\\]", given or "")[-1]
    name = "".join(character for character in last if character.isprintable() and not "\ud800" <= character <= "\udfff")
    stem, dot, suffix = name.strip().rpartition(".")
    return f"{(stem or suffix)[:120]}{dot}{suffix[:16]}" if stem else (suffix[:120] or kind)

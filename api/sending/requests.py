"""Parses requests to send: `{to, text, session_id?}`, or a form with a file and its caption."""

import re
from dataclasses import dataclass
from typing import BinaryIO, cast

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.gateway.media import MEDIA_KINDS, MediaFile, MediaKind
from api.http import errors, parameters, request_body
from api.http.errors import ApiError
from api.sending import filetype
from store.sending.sends import SendKind

MAX_TEXT_LENGTH = 65_536
"""The greatest length of a text in characters, as in WhatsApp's own clients."""
MAX_CAPTION_LENGTH = 1_024
MAX_RECIPIENT_LENGTH = 128
MAX_SESSION_ID_LENGTH = 200
_MAX_JSON_BYTES = 1 << 20
_MAX_FORM_OVERHEAD = 1 << 16
"""The size of a form without its file, in bytes."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    to: str
    text: str | None
    """The caption of a file."""
    session_id: str | None
    file: MediaFile | None = None

    @property
    def kind(self) -> SendKind:
        return "text" if self.file is None else self.file.kind


async def read_json(request: Request) -> SendRequest:
    """Return the request in a JSON body. Raises ApiError."""
    fields = await request_body.read_object(request, _MAX_JSON_BYTES)
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise errors.bad_parameter("text must be a string that is not blank.")
    return SendRequest(
        _parse_recipient(fields.get("to")), validated_text("text", text, MAX_TEXT_LENGTH), _parse_session_id(fields)
    )


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


class _CompleteFormParser(MultiPartParser):
    """A parser that rejects forms without a closing boundary, because their last part may be truncated."""

    reached_end = False

    def on_end(self) -> None:
        self.reached_end = True

    async def parse_complete(self) -> FormData:
        form = await self.parse()
        if not self.reached_end:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it is incomplete")
        return form


async def read_form(request: Request, max_file_bytes: int) -> FormData:
    """Return the form, which the caller must close.

    Large files are on disk. Raises ApiError if it cannot be read or is larger than `max_file_bytes` and the overhead of
    a form.
    """
    if parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8").lower() != b"utf-8":
        # Some of Python's codecs take quadratic time, such as punycode.
        raise errors.bad_request("bad_form", "The form cannot be read: its charset must be utf-8.")
    chunks = request_body.chunks(request, max_file_bytes + _MAX_FORM_OVERHEAD)
    parser = _CompleteFormParser(request.headers, chunks, max_files=1, max_fields=8, max_part_size=_MAX_FORM_OVERHEAD)
    try:
        return await parser.parse_complete()
    except MultiPartException as error:
        raise errors.bad_request("bad_form", f"The form cannot be read: {error.message.rstrip('.')}.") from error


def from_form(form: FormData, max_file_bytes: int) -> SendRequest:
    """Return the request in a form. Raises ApiError."""
    for name in ("to", "caption", "session_id", *MEDIA_KINDS):
        if len(form.getlist(name)) > 1:
            raise errors.bad_parameter(f"{name} is given more than once.")
    kinds: list[MediaKind] = [kind for kind in MEDIA_KINDS if isinstance(form.get(kind), UploadFile)]
    if len(kinds) != 1:
        raise errors.bad_parameter(f"The form must have one file, named {', '.join(MEDIA_KINDS)}.")
    upload = cast("UploadFile", form[kinds[0]])
    size = upload.size or 0
    if size > max_file_bytes:
        raise ApiError(413, "body_too_large", f"The file is larger than {max_file_bytes} bytes.")
    caption = form.get("caption")
    text = validated_text("caption", caption, MAX_CAPTION_LENGTH) if isinstance(caption, str) and caption else None
    name = _sanitize_file_name(upload.filename, kinds[0])
    file = media_file(kinds[0], upload.file, name, size)
    return SendRequest(_parse_recipient(form.get("to")), text, _parse_session_id(form), file)


def media_file(kind: MediaKind, stream: BinaryIO, name: str, size: int) -> MediaFile:
    """Return a file with its detected type. Raises ApiError if it cannot be sent as this kind."""
    stream.seek(0)
    mime_type = filetype.validate(kind, stream.read(filetype.SNIFF_BYTES), name)
    stream.seek(0)
    return MediaFile(kind, stream, name, mime_type, size)


def validated_text(field: str, text: str, max_length: int) -> str:
    """Return the text. Raises ApiError if it is too long or if PostgreSQL cannot store it."""
    if len(text) > max_length:
        raise errors.bad_parameter(f"{field} is longer than {max_length} characters.")
    if not parameters.is_storable(text):
        raise errors.bad_parameter(f"{field} must not contain NUL or a lone surrogate.")
    return text


def _parse_recipient(value: object) -> str:
    # A JSON number means the same as a string of its digits.
    to = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(to, str) or not to.strip():
        raise errors.bad_parameter("to must be a phone number with its country code.")
    return validated_text("to", to, MAX_RECIPIENT_LENGTH)


def _parse_session_id(fields: "dict[str, object] | FormData") -> str | None:
    value = fields.get("session_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise errors.bad_parameter("session_id must be a string.")
    return validated_text("session_id", value, MAX_SESSION_ID_LENGTH)


def _sanitize_file_name(given: str | None, kind: MediaKind) -> str:
    """Return the file name without folders and without characters that are not allowed in a header."""
    base = re.split(r"[/\\]", given or "")[-1]
    name = "".join(character for character in base if character.isprintable() and not "\ud800" <= character <= "\udfff")
    stem, dot, suffix = name.strip().rpartition(".")
    return f"{(stem or suffix)[:120]}{dot}{suffix[:16]}" if stem else (suffix[:120] or kind)

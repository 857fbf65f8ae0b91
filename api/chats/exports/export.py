"""`GET /api/chats/{phone}/export` and `GET /api/sessions/{session_id}/export`: stream all messages as a file."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Literal
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.auth import access
from api.auth.revocations import RevocationWatch
from api.chats import messages
from api.chats.exports import export_formats, export_words, file_names, spreadsheet
from api.chats.exports.export_formats import ExportFormat
from api.chats.exports.export_heading import ExportHeading
from api.chats.exports.export_slots import ExportSlots
from api.chats.exports.spreadsheet import Spreadsheet
from api.http import database, parameters, time_zones
from api.http.errors import ApiError
from store.reading.export import ExportPage, ExportPeriod, ExportSnapshot

_SPREADSHEET = "xlsx"
FORMATS = {name: text_format.media_type for name, text_format in export_formats.FORMATS.items()} | {
    _SPREADSHEET: spreadsheet.MEDIA_TYPE
}
"""The media type of each format."""
SEND_TIMEOUT_SECONDS = 120.0
"""The time in seconds that a client may take to accept a chunk."""
MAX_SECONDS = 3600.0
"""The time in seconds that a client may take for the whole file, because its snapshot holds back vacuum."""
_CHUNK_BYTES = 128 << 10
"""The number of bytes that are compressed at a time before other requests are served."""


def export_chat(request: Request) -> Response:
    """Respond with the messages of a chat, oldest first."""
    scope = messages.requested_scope(request)

    def read(snapshot: ExportSnapshot, heading: ExportHeading) -> tuple[ExportHeading, Iterator[ExportPage]]:
        chat = snapshot.chat(scope)
        title = ", ".join(filter(None, (chat.name, heading.spell_address(scope.address))))
        return replace(heading, title=title, chat=chat), snapshot.chat_messages(scope, chat, heading.period)

    return _export_response(request, _heading(request, "conversation"), read, scope.address)


def export_session(request: Request) -> Response:
    """Respond with the messages of a session, chat by chat."""
    session_id = request.path_params["session_id"]
    if access.caller(request).visible_sessions(session_id) == () or "\0" in session_id:
        raise ApiError(404, "session_not_found", "There is no session with that id that this token may see.")

    def read(snapshot: ExportSnapshot, heading: ExportHeading) -> tuple[ExportHeading, Iterator[ExportPage]]:
        pages = snapshot.session_messages(session_id, heading.period)
        return replace(heading, title=heading.session_name(session_id)), pages

    return _export_response(request, _heading(request, "session"), read, "session")


def _heading(request: Request, subject: Literal["conversation", "session"]) -> ExportHeading:
    period = ExportPeriod(parameters.timestamp(request, "since"), parameters.timestamp(request, "until"))
    zone = ZoneInfo(time_zones.requested(request, "zone")) if parameters.text(request, "zone") else None
    language = parameters.choice(request, "language", export_words.LANGUAGES)
    return ExportHeading(subject, period, zone, language, datetime.now(UTC))


def _export_response(
    request: Request,
    heading: ExportHeading,
    read: Callable[[ExportSnapshot, ExportHeading], tuple[ExportHeading, Iterator[ExportPage]]],
    address: str,
) -> Response:
    """Return the response with the export. `read` returns the heading with its subject, and the pages."""
    format_name = parameters.choice(request, "format", FORMATS) or "ndjson"
    headers = {"content-type": FORMATS[format_name], "cache-control": "no-store"}
    if request.method == "HEAD":
        return Response(headers=headers | _disposition(heading, address, None, format_name))
    limiter: anyio.CapacityLimiter = request.app.state.stream_limiter
    slots: ExportSlots = request.app.state.export_slots
    caller = access.caller(request)
    is_spreadsheet = format_name == _SPREADSHEET
    if not slots.try_acquire(caller.token_id, spreadsheet=is_spreadsheet):
        sentence = "Too many exports are running, of this token or of all; try again when one of them has finished."
        raise ApiError(503, "too_many_exports", sentence, {"retry-after": "10"})
    with ExitStack() as stack:
        stack.callback(slots.release, caller.token_id, spreadsheet=is_spreadsheet)
        snapshot = ExportSnapshot(database.from_request(request).settings.database_url)
        stack.callback(snapshot.close)
        heading, pages = read(snapshot, replace(heading, session_names=snapshot.session_names()))
        # The first page is read before the response starts, so that an error can still be reported as an error
        # response.
        first_page = next(pages, None)
        pages = chain([first_page] if first_page else [], pages)
        name = heading.chat.name if heading.chat else heading.title
        headers |= _disposition(heading, address, name, format_name)
        if is_spreadsheet:
            book = Spreadsheet(heading)
            stack.callback(book.close)
            content = _write_spreadsheet(pages, book, limiter)
        else:
            content = _encode_file(pages, export_formats.FORMATS[format_name], heading, limiter)
        release = stack.pop_all()
    revocations: RevocationWatch = request.app.state.revocations
    return _ExportResponse(content, headers, release.close, lambda: revocations.wait(caller))


def _disposition(heading: ExportHeading, address: str, name: str | None, extension: str) -> dict[str, str]:
    """Return the header with the file's name: the person, chat or session, and the day."""
    day = heading.exported_at.astimezone(heading.zone_or_utc).strftime("%Y-%m-%d")
    return {"content-disposition": file_names.attachment(f"{name or address} {day}", f"{address} {day}", extension)}


class _ExportResponse(StreamingResponse):
    """A file that is streamed. Its snapshot is closed even if the client disconnects, is too slow or loses its rights.

    The manifest is missing in these cases. An error before the first chunk is reported as an error response.
    """

    def __init__(
        self,
        content: AsyncGenerator[bytes],
        headers: dict[str, str],
        release: Callable[[], None],
        revoked: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(content, headers=headers)
        self._content = content
        self._release = release
        self._revoked = revoked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        try:
            # uvicorn closes the connection of an incomplete response.
            with contextlib.suppress(TimeoutError, ClientDisconnect):
                with anyio.CancelScope() as serving:
                    watch = asyncio.create_task(self._cancel_on_revocation(serving))
                    try:
                        async with asyncio.timeout(MAX_SECONDS), contextlib.aclosing(self._content):
                            self.body_iterator = _prepend(await anext(self._content), self._content)
                            await super().__call__(scope, receive, send_in_time)
                    finally:
                        watch.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._release)

    async def _cancel_on_revocation(self, scope: anyio.CancelScope) -> None:
        await self._revoked()
        scope.cancel()


async def _prepend(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _write_spreadsheet(
    pages: Iterator[ExportPage], book: Spreadsheet, limiter: anyio.CapacityLimiter
) -> AsyncGenerator[bytes]:
    """Yield the workbook in chunks after all pages were written to it."""

    def add_page() -> bool:
        page = next(pages, None)
        if page is not None:
            book.add(page)
        return page is not None

    while await anyio.to_thread.run_sync(add_page, limiter=limiter):
        pass
    pieces = book.finish()
    while piece := await anyio.to_thread.run_sync(next, pieces, b"", limiter=limiter):
        yield piece


async def _encode_file(
    pages: Iterator[ExportPage], export_format: ExportFormat, heading: ExportHeading, limiter: anyio.CapacityLimiter
) -> AsyncGenerator[bytes]:
    """Yield the file in chunks.

    Its last line contains the number of messages and the digest of everything before it.
    """
    digest = hashlib.sha256()
    count = 0
    header = export_format.encode_heading(heading).encode()
    digest.update(header)
    yield header

    def encode_page() -> tuple[int, bytes]:
        page = next(pages, None)
        if page is None:
            return 0, b""
        chunk = export_format.encode_page(page, heading).encode()
        digest.update(chunk)
        return len(page.messages), chunk

    while (page := await anyio.to_thread.run_sync(encode_page, limiter=limiter))[0]:
        count += page[0]
        for start in range(0, len(page[1]), _CHUNK_BYTES):
            yield page[1][start : start + _CHUNK_BYTES]
    yield export_format.encode_manifest(json.dumps({"count": count, "sha256": digest.hexdigest()})).encode()

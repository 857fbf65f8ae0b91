"""`GET /api/chats/{phone}/export` and `GET /api/sessions/{session_id}/export`: everything, streamed."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import chain

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.auth import access
from api.chats import export_formats, messages
from api.chats.export_formats import ExportFormat
from api.http import database, parameters
from api.http.errors import ApiError
from store.reading.export import ExportSnapshot

MAX_CONCURRENT_EXPORTS = 4
"""Exports that a process has under way: each holds a connection of its own."""
SEND_TIMEOUT_SECONDS = 120.0
"""Seconds that a client may take over what is on its way to it."""


def export_chat(request: Request) -> Response:
    """All messages of a chat, oldest first."""
    parameters.reject_repeated(request, ("format", "session_id"))
    place = messages.requested_scope(request)
    return _export_response(request, lambda snapshot: snapshot.chat_messages(place), place.address)


def export_session(request: Request) -> Response:
    """All messages of a session, chat by chat."""
    parameters.reject_repeated(request, ("format",))
    session_id = request.path_params["session_id"]
    if access.caller(request).visible_sessions(session_id) == () or "\0" in session_id:
        raise ApiError(404, "session_not_found", "There is no such session that this token may see.")
    return _export_response(request, lambda snapshot: snapshot.session_messages(session_id), "session")


def _export_response(
    request: Request, read_pages: Callable[[ExportSnapshot], Iterator[tuple[str, ...]]], file_stem: str
) -> Response:
    wanted = export_formats.FORMATS[parameters.choice(request, "format", export_formats.FORMATS) or "ndjson"]
    headers = {
        "content-type": wanted.media_type,
        "content-disposition": f'attachment; filename="{file_stem.replace("@", "_")}.{wanted.name}"',
        "cache-control": "no-store",
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    threads: anyio.CapacityLimiter = request.app.state.catching_up
    turns = request.app.state.exports
    if not turns.acquire(blocking=False):
        sentence = f"{MAX_CONCURRENT_EXPORTS} exports are under way here: come back when one of them is through."
        raise ApiError(503, "too_many_exports", sentence, {"retry-after": "10"})
    try:
        snapshot = ExportSnapshot(database.from_request(request).settings.database_url)
        try:
            pages = read_pages(snapshot)
            # The first page now: what cannot be answered at all is refused in the envelope.
            first = next(pages, ())
        except BaseException:
            snapshot.close()
            raise
    except BaseException:
        turns.release()
        raise

    def end() -> None:
        snapshot.close()
        turns.release()

    return _ExportResponse(_encode_file(chain([first], pages), wanted, threads), headers, end)


class _ExportResponse(StreamingResponse):
    """Ends what it reads from, also where the client is gone or stops reading; its manifest is then missing."""

    def __init__(self, content: AsyncGenerator[bytes], headers: dict[str, str], release: Callable[[], None]) -> None:
        super().__init__(content, headers=headers)
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        try:
            # The server hangs up on whoever has not got all of an answer.
            with contextlib.suppress(TimeoutError, ClientDisconnect):
                await super().__call__(scope, receive, patiently)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._release)


async def _encode_file(
    pages: Iterator[tuple[str, ...]], export_format: ExportFormat, limiter: anyio.CapacityLimiter
) -> AsyncGenerator[bytes]:
    """The file in pieces; its last line tells how many messages there are and the digest of all before it."""
    digest = hashlib.sha256()
    count = 0
    head = export_format.header.encode()
    digest.update(head)
    yield head
    while page := await anyio.to_thread.run_sync(next, pages, (), limiter=limiter):
        part = export_format.encode_messages(page).encode()
        digest.update(part)
        count += len(page)
        yield part
    yield export_format.encode_manifest(json.dumps({"count": count, "sha256": digest.hexdigest()})).encode()

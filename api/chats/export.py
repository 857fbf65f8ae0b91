"""`GET /api/chats/{phone}/export` and `GET /api/sessions/{session_id}/export`: stream all messages as a file."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from itertools import chain

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.auth import access
from api.auth.revocations import RevocationWatch
from api.chats import export_formats, messages
from api.chats.export_formats import ExportFormat
from api.chats.export_slots import ExportSlots
from api.http import database, parameters
from api.http.errors import ApiError
from store.reading.export import ExportSnapshot

SEND_TIMEOUT_SECONDS = 120.0
"""Seconds that a client has to accept a chunk."""
MAX_SECONDS = 3600.0
"""Seconds that a client has for the whole file: its snapshot holds back vacuum."""
_CHUNK_BYTES = 128 << 10
"""Bytes that are compressed without a break in which other requests are served."""


def export_chat(request: Request) -> Response:
    """All messages of a chat, oldest first."""
    scope = messages.requested_scope(request)
    return _export_response(request, lambda snapshot: snapshot.chat_messages(scope), scope.address)


def export_session(request: Request) -> Response:
    """All messages of a session, chat by chat."""
    session_id = request.path_params["session_id"]
    if access.caller(request).visible_sessions(session_id) == () or "\0" in session_id:
        raise ApiError(404, "session_not_found", "There is no session with that id that this token may see.")
    return _export_response(request, lambda snapshot: snapshot.session_messages(session_id), "session")


def _export_response(
    request: Request, read_pages: Callable[[ExportSnapshot], Iterator[tuple[str, ...]]], file_stem: str
) -> Response:
    export_format = export_formats.FORMATS[parameters.choice(request, "format", export_formats.FORMATS) or "ndjson"]
    headers = {
        "content-type": export_format.media_type,
        "content-disposition": f'attachment; filename="{file_stem.replace("@", "_")}.{export_format.name}"',
        "cache-control": "no-store",
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    limiter: anyio.CapacityLimiter = request.app.state.stream_limiter
    slots: ExportSlots = request.app.state.export_slots
    caller = access.caller(request)
    if not slots.try_acquire(caller.token_id):
        sentence = "Too many exports are running, of this token or of all; try again when one of them has finished."
        raise ApiError(503, "too_many_exports", sentence, {"retry-after": "10"})
    try:
        snapshot = ExportSnapshot(database.from_request(request).settings.database_url)
        try:
            pages = read_pages(snapshot)
            # Read before the response starts, so that an error still becomes an error envelope.
            first_page = next(pages, ())
        except BaseException:
            snapshot.close()
            raise
    except BaseException:
        slots.release(caller.token_id)
        raise

    def release() -> None:
        snapshot.close()
        slots.release(caller.token_id)

    revocations: RevocationWatch = request.app.state.revocations
    content = _encode_file(chain([first_page], pages), export_format, limiter)
    return _ExportResponse(content, headers, release, lambda: revocations.wait(caller))


class _ExportResponse(StreamingResponse):
    """Closes its snapshot, also where the client disconnects, is too slow or may not read any more.

    The manifest is then missing.
    """

    def __init__(
        self,
        content: AsyncGenerator[bytes],
        headers: dict[str, str],
        release: Callable[[], None],
        revoked: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(content, headers=headers)
        self._release = release
        self._revoked = revoked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        try:
            # uvicorn then closes the connection, as the response is incomplete.
            with contextlib.suppress(TimeoutError, ClientDisconnect):
                with anyio.CancelScope() as serving:
                    watch = asyncio.create_task(self._cancel_on_revocation(serving))
                    try:
                        async with asyncio.timeout(MAX_SECONDS):
                            await super().__call__(scope, receive, send_in_time)
                    finally:
                        watch.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._release)

    async def _cancel_on_revocation(self, scope: anyio.CancelScope) -> None:
        await self._revoked()
        scope.cancel()


async def _encode_file(
    pages: Iterator[tuple[str, ...]], export_format: ExportFormat, limiter: anyio.CapacityLimiter
) -> AsyncGenerator[bytes]:
    """The file in pieces; its last line has the number of messages and the digest of everything before it."""
    digest = hashlib.sha256()
    count = 0
    header = export_format.header.encode()
    digest.update(header)
    yield header

    def encode_page() -> tuple[int, bytes]:
        page = next(pages, ())
        chunk = export_format.encode_messages(page).encode()
        digest.update(chunk)
        return len(page), chunk

    while (page := await anyio.to_thread.run_sync(encode_page, limiter=limiter))[0]:
        count += page[0]
        for start in range(0, len(page[1]), _CHUNK_BYTES):
            yield page[1][start : start + _CHUNK_BYTES]
    yield export_format.encode_manifest(json.dumps({"count": count, "sha256": digest.hexdigest()})).encode()

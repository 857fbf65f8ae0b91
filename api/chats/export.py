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
from api.chats.export_formats import Format
from api.http import database, parameters
from api.http.errors import Refusal
from store.reading.export import Snapshot

AT_ONCE = 4
"""Exports that a process has under way: each holds a connection of its own."""
PATIENCE = 120.0
"""Seconds that a client may take over what is on its way to it."""


def chat(request: Request) -> Response:
    """All messages of a chat, oldest first."""
    parameters.known(request, ("format", "session_id"))
    place = messages.place_of(request)
    return _answer(request, lambda snapshot: snapshot.messages(place), place.address)


def session(request: Request) -> Response:
    """All messages of a session, chat by chat."""
    parameters.known(request, ("format",))
    session_id = request.path_params["session_id"]
    if access.caller(request).may_see(session_id) == () or "\0" in session_id:
        raise Refusal(404, "session_not_found", "There is no such session that this token may see.")
    return _answer(request, lambda snapshot: snapshot.session(session_id), "session")


def _answer(request: Request, told: Callable[[Snapshot], Iterator[tuple[str, ...]]], name: str) -> Response:
    wanted = export_formats.FORMATS[parameters.choice(request, "format", export_formats.FORMATS) or "ndjson"]
    headers = {
        "content-type": wanted.media_type,
        "content-disposition": f'attachment; filename="{name.replace("@", "_")}.{wanted.name}"',
        "cache-control": "no-store",
    }
    if request.method == "HEAD":
        return Response(headers=headers)
    threads: anyio.CapacityLimiter = request.app.state.catching_up
    turns = request.app.state.exports
    if not turns.acquire(blocking=False):
        sentence = f"{AT_ONCE} exports are under way here: come back when one of them is through."
        raise Refusal(503, "too_many_exports", sentence, {"retry-after": "10"})
    try:
        snapshot = Snapshot(database.of(request).settings.database_url)
        try:
            pages = told(snapshot)
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

    return _Export(_written(chain([first], pages), wanted, threads), headers, end)


class _Export(StreamingResponse):
    """Ends what it reads from, also where the client is gone or stops reading; its manifest is then missing."""

    def __init__(self, content: AsyncGenerator[bytes], headers: dict[str, str], end: Callable[[], None]) -> None:
        super().__init__(content, headers=headers)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(PATIENCE):
                await send(message)

        try:
            # The server hangs up on whoever has not got all of an answer.
            with contextlib.suppress(TimeoutError, ClientDisconnect):
                await super().__call__(scope, receive, patiently)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._end)


async def _written(
    pages: Iterator[tuple[str, ...]], wanted: Format, threads: anyio.CapacityLimiter
) -> AsyncGenerator[bytes]:
    """The file in pieces; its last line tells how many messages there are and the digest of all before it."""
    digest = hashlib.sha256()
    count = 0
    head = wanted.head.encode()
    digest.update(head)
    yield head
    while page := await anyio.to_thread.run_sync(next, pages, (), limiter=threads):
        part = wanted.lines(page).encode()
        digest.update(part)
        count += len(page)
        yield part
    yield wanted.manifest(json.dumps({"count": count, "sha256": digest.hexdigest()})).encode()

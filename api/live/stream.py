"""`GET /api/stream`: sends changes as they happen, as server-sent events that a client can resume.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth import access
from api.auth.access import Caller
from api.http import database, parameters
from api.http.database import Database
from api.http.errors import ApiError
from api.live import broadcaster, change_ids
from api.live.broadcaster import Broadcaster, StreamEvent
from store.access import signouts, tokens
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import FeedPosition

HEARTBEAT_SECONDS = 10.0
"""Seconds without an event after which another one, `heartbeat`, shows that the connection is alive."""
_HEARTBEAT = b"event: heartbeat\ndata: {}\n\n"
"""Not a comment, which a browser's EventSource hides. Without an id, so that it does not move Last-Event-ID."""
_SEND_TIMEOUT_SECONDS = 20.0
"""Seconds that a client has to accept a chunk; then it is disconnected, and can resume."""
_PAGE_SIZE = 200
_EVENT_STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class EventStreamResponse(Response):
    """Sends events until the client disconnects, is too slow, or cannot receive a complete sequence any more."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        super().__init__(headers=_EVENT_STREAM_HEADERS)
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
            with contextlib.suppress(TimeoutError):
                async with contextlib.aclosing(self._events) as events:
                    async for chunk in events:
                        async with asyncio.timeout(_SEND_TIMEOUT_SECONDS):
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            tasks.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


@dataclass(frozen=True, slots=True)
class _StreamReader:
    database: Database
    broadcaster: Broadcaster
    caller: Caller
    sessions: tuple[str, ...] | None
    epoch: str
    limiter: anyio.CapacityLimiter

    async def events(self, position: FeedPosition) -> AsyncGenerator[bytes]:
        """The events after a position; ends at shutdown, when the token is revoked, or after an error."""
        # An id without data moves the client's Last-Event-ID, so that it can resume before its first event.
        yield f"retry: 2000\nid: {change_ids.encode(self.epoch, position)}\n\n".encode()
        checked_at = time.monotonic()
        while not self.broadcaster.closed:
            if time.monotonic() - checked_at >= HEARTBEAT_SECONDS:
                checked_at = time.monotonic()
                if not await self._is_still_authorized():
                    return
            updated = self.broadcaster.updated
            events: Sequence[StreamEvent] | None = self.broadcaster.events_after(self.epoch, position)
            if events is None:
                try:
                    events, position = await self._read_feed(position)
                except (ApiError, errors.TransientError):
                    return
            elif events:
                events = events[:_PAGE_SIZE]
                position = events[-1].position
            else:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await updated.wait()
                except TimeoutError:
                    yield _HEARTBEAT
                continue
            if frames := b"".join(event.frame for event in events if self._can_see(event.session_id)):
                yield frames

    async def _read_feed(self, position: FeedPosition) -> tuple[list[StreamEvent], FeedPosition]:
        page = await anyio.to_thread.run_sync(
            lambda: self.database.read_and_fence(
                lambda connection: change_feed.read(connection, position, _PAGE_SIZE, self.sessions)
            ),
            limiter=self.limiter,
        )
        change_ids.check_continuity(page, self.epoch)
        return [broadcaster.encode_event(self.epoch, change) for change in page.entries], page.next_position

    async def _is_still_authorized(self) -> bool:
        """Whether neither the token was revoked nor the sign-in ended; True while the database is unavailable."""
        name = None if self.caller == access.BOOTSTRAP_CALLER else self.caller.name
        sign_in = self.caller.sign_in_nonce
        if name is None and sign_in is None:
            return True

        def query(connection: Connection) -> bool:
            return (name is None or tokens.is_name_in_use(connection, name)) and (
                sign_in is None or not signouts.is_signed_out(connection, sign_in)
            )

        try:
            return await anyio.to_thread.run_sync(lambda: self.database.read_primary(query), limiter=self.limiter)
        except errors.TransientError:
            return True

    def _can_see(self, session_id: str | None) -> bool:
        return self.sessions is None or session_id in self.sessions


async def stream(request: Request) -> Response:
    """The changes after Last-Event-ID (or `since`), else from now on."""
    caller = access.caller(request)
    sessions = caller.visible_sessions(parameters.text(request, "session_id"))
    pools = database.from_request(request)
    since = parameters.cursor(request, "since")
    last_id = request.headers.get("last-event-id") or since
    if last_id is None:
        epoch, position = await anyio.to_thread.run_sync(lambda: pools.read_primary(change_feed.current_position))
    else:
        epoch, position = change_ids.decode("Last-Event-ID", last_id)
        page = await anyio.to_thread.run_sync(
            lambda: pools.read_primary(lambda connection: change_feed.read(connection, position, 1, sessions))
        )
        change_ids.check_continuity(page, epoch)
    state = request.app.state
    reader = _StreamReader(pools, state.broadcaster, caller, sessions, epoch, state.stream_limiter)
    return EventStreamResponse(reader.events(position))

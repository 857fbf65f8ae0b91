"""`GET /api/stream`: sends changes as they happen, as server-sent events that a client can resume.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth import access
from api.http import database, parameters
from api.http.database import Database
from api.http.errors import ApiError
from api.live import broadcaster, change_ids
from api.live.broadcaster import Broadcaster, StreamEvent
from store.postgres import errors
from store.reading import change_feed
from store.reading.change_feed import FeedPosition
from store.reading.fragments.json_views import MAX_PAGE_BYTES

_HEARTBEAT_SECONDS = 10.0
"""The time in seconds without an event after which the event `heartbeat` shows that the connection is alive."""
_HEARTBEAT = b"event: heartbeat\ndata: {}\n\n"
"""An event rather than a comment, which a browser's EventSource hides. It has no id, so Last-Event-ID does not move."""
_SEND_TIMEOUT_SECONDS = 20.0
"""The time in seconds that a client may take to accept a chunk. After that it is disconnected and can resume."""
_PAGE_SIZE = 200
_EVENT_STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class EventStreamResponse(Response):
    """A stream of events until the client disconnects, is too slow, or would miss an event."""

    def __init__(self, events: AsyncGenerator[bytes], revoked: Callable[[], Awaitable[None]]) -> None:
        """Create a response. `revoked` returns when the client may not receive events any more."""
        super().__init__(headers=_EVENT_STREAM_HEADERS)
        self._revoked = revoked
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
            tasks.start_soon(self._cancel_on_revocation, tasks.cancel_scope)
            with contextlib.suppress(TimeoutError):
                async with contextlib.aclosing(self._events) as events:
                    async for chunk in events:
                        async with asyncio.timeout(_SEND_TIMEOUT_SECONDS):
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            tasks.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _cancel_on_revocation(self, scope: anyio.CancelScope) -> None:
        await self._revoked()
        scope.cancel()


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


@dataclass(frozen=True, slots=True)
class _StreamReader:
    database: Database
    broadcaster: Broadcaster
    sessions: tuple[str, ...] | None
    epoch: str
    limiter: anyio.CapacityLimiter

    async def events(self, position: FeedPosition) -> AsyncGenerator[bytes]:
        """Yield the events after a position until shutdown or an error."""
        # An id without data moves the client's Last-Event-ID, so that it can resume before its first event.
        yield f"retry: 2000\nid: {change_ids.encode(self.epoch, position)}\n\n".encode()
        while not self.broadcaster.closed:
            updated = self.broadcaster.updated
            events: Sequence[StreamEvent] | None = self.broadcaster.events_after(self.epoch, position)
            if events is None:
                try:
                    events, position = await self._read_feed(position)
                except (ApiError, errors.TransientError):
                    return
            elif events:
                events = _first_page(events)
                position = events[-1].position
            else:
                try:
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
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

    def _can_see(self, session_id: str | None) -> bool:
        return self.sessions is None or session_id in self.sessions


def _first_page(events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
    """Return the first events, as many as fit into one chunk."""
    sizes = itertools.accumulate(len(event.frame) for event in events[:_PAGE_SIZE])
    return events[: max(1, sum(size <= MAX_PAGE_BYTES for size in sizes))]


async def stream(request: Request) -> Response:
    """Respond with the changes after Last-Event-ID (or `since`), or with changes from now on."""
    caller = access.caller(request)
    sessions = access.requested_sessions(request)
    pools, state = database.from_request(request), request.app.state
    # The threads of other requests stay free.
    limiter: anyio.CapacityLimiter = state.stream_limiter
    since = parameters.cursor(request, "since")
    last_id = request.headers.get("last-event-id") or since
    if last_id is None:
        epoch, position = await anyio.to_thread.run_sync(
            lambda: pools.read_primary(change_feed.current_position), limiter=limiter
        )
    else:
        epoch, position = change_ids.decode("Last-Event-ID", last_id)
        page = await anyio.to_thread.run_sync(
            lambda: pools.read_primary(lambda connection: change_feed.read(connection, position, 1, sessions)),
            limiter=limiter,
        )
        change_ids.check_continuity(page, epoch)
    reader = _StreamReader(pools, state.broadcaster, sessions, epoch, limiter)
    return EventStreamResponse(reader.events(position), lambda: state.revocations.wait(caller))

"""`GET /api/stream`: every change as it happens, as server-sent events that can be resumed.

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
from api.http.database import Backend
from api.http.errors import Refusal
from api.live import broadcaster, change_ids
from api.live.broadcaster import Event, Hub
from store.access import signouts, tokens
from store.postgres import errors
from store.postgres.connections import Connection
from store.reading import change_feed
from store.reading.change_feed import Place

HEARTBEAT = 15.0
"""Seconds without an event after which a comment shows that the stream lives."""
_PATIENCE = 20.0
"""Seconds that a client may take to accept what it is sent; then it is dropped, and can resume."""
_PAGE = 200
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class Stream(Response):
    """Sends until the client is gone, too slow, or cannot be told everything any more."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            with contextlib.suppress(TimeoutError):
                async with contextlib.aclosing(self._events) as events:
                    async for chunk in events:
                        async with asyncio.timeout(_PATIENCE):
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            tasks.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


@dataclass(frozen=True, slots=True)
class _Reader:
    backend: Backend
    hub: Hub
    caller: Caller
    sessions: tuple[str, ...] | None
    epoch: str
    threads: anyio.CapacityLimiter

    async def events(self, place: Place) -> AsyncGenerator[bytes]:
        """From a place on, for ever."""
        # An id without data moves the client's Last-Event-ID, so that it can resume before its first event.
        yield f"retry: 2000\nid: {change_ids.seal(self.epoch, place)}\n\n".encode()
        checked = time.monotonic()
        while not self.hub.closed:
            if time.monotonic() - checked >= HEARTBEAT:
                checked = time.monotonic()
                if not await self._may_listen():
                    return
            news = self.hub.news
            found: Sequence[Event] | None = self.hub.after(self.epoch, place)
            if found is None:
                try:
                    found, place = await self._catch_up(place)
                except (Refusal, errors.TransientError):
                    return
            elif found:
                found = found[:_PAGE]
                place = found[-1].place
            else:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                continue
            if lines := b"".join(one.lines for one in found if self._sees(one.session_id)):
                yield lines

    async def _catch_up(self, place: Place) -> tuple[list[Event], Place]:
        delivery = await anyio.to_thread.run_sync(
            lambda: self.backend.tell(lambda connection: change_feed.read(connection, place, _PAGE, self.sessions)),
            limiter=self.threads,
        )
        change_ids.check(delivery, self.epoch)
        return [broadcaster.event(self.epoch, change) for change in delivery.changes], delivery.upto

    async def _may_listen(self) -> bool:
        """Whether the token was not revoked meanwhile, nor the sign-in ended; also while nobody can tell."""
        name = None if self.caller == access.ROOT else self.caller.name
        sign_in = self.caller.sign_in
        if name is None and sign_in is None:
            return True

        def question(connection: Connection) -> bool:
            return (name is None or tokens.works(connection, name)) and (
                sign_in is None or not signouts.ended(connection, sign_in)
            )

        try:
            return await anyio.to_thread.run_sync(lambda: self.backend.ask(question), limiter=self.threads)
        except errors.TransientError:
            return True

    def _sees(self, session_id: str | None) -> bool:
        return self.sessions is None or session_id in self.sessions


async def stream(request: Request) -> Response:
    """From Last-Event-ID (or `since`) on, else from now."""
    parameters.known(request, ("since", "session_id"))
    caller = access.caller(request)
    sessions = caller.may_see(parameters.text(request, "session_id"))
    pools, center = database.of(request), center_of(request)
    named = request.headers.get("last-event-id") or parameters.opaque(request, "since")
    if named is None:
        epoch, place = await anyio.to_thread.run_sync(lambda: pools.ask(change_feed.now))
    else:
        epoch, place = change_ids.unseal("Last-Event-ID", named)
        delivery = await anyio.to_thread.run_sync(
            lambda: pools.ask(lambda connection: change_feed.read(connection, place, 1, sessions))
        )
        change_ids.check(delivery, epoch)
    reader = _Reader(pools, center, caller, sessions, epoch, request.app.state.catching_up)
    return Stream(reader.events(place))


def center_of(request: Request) -> Hub:
    center: object = request.app.state.hub
    assert isinstance(center, Hub)
    return center

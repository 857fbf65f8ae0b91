"""Sends among the requests of a process: side by side within bounds, and copies of one request wait for the first."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Self
from uuid import UUID

import anyio
import anyio.to_thread

from api.gateway.timeouts import Timeouts
from api.http.errors import ApiError
from api.sending.outbox import Outbox, SendOutcome
from api.sending.requests import SendRequest
from api.sending.session_monitor import SessionMonitor
from api.settings import Settings
from store.postgres import errors
from store.sending import unsettled

log = logging.getLogger(__name__)

_MAX_GATEWAY_CALLS = 40
"""Requests to the gateway at the same time, as many as its client has connections."""
_MAX_WAITING = 1_000
"""Requests that wait for their turn; more are told to come back."""
_DUPLICATE_WAIT_SECONDS = 40.0
"""Seconds that a copy of a request waits for the first one's answer, which takes at most 30 and a little."""
_SWEEP_INTERVAL = 5.0
"""Seconds between two looks for what a process left behind that is gone."""


class SendDispatcher:
    def __init__(self, outbox: Outbox | None, session_monitor: SessionMonitor | None = None) -> None:
        self._outbox = outbox
        self._session_monitor = session_monitor
        self._gateway_limiter = anyio.CapacityLimiter(_MAX_GATEWAY_CALLS)
        self._database_limiter = anyio.CapacityLimiter(2)
        self._in_flight: dict[UUID, asyncio.Event] = {}

    @classmethod
    def from_settings(cls, settings: Settings, timeouts: Timeouts | None = None) -> Self:
        """Without a gateway in the settings it refuses to send."""
        if settings.gateway is None:
            return cls(None)
        outbox = Outbox(settings.direct_database_url, settings.gateway, timeouts)
        watch = None
        if settings.session_poll_seconds and settings.gateway.session_id:
            watch = SessionMonitor(
                outbox.pool, outbox.client, settings.gateway.session_id, settings.session_poll_seconds
            )
        return cls(outbox, watch)

    def observe_writes(self, on_write: Callable[[str], None]) -> None:
        """Have it told after every write of ours up to where PostgreSQL's log reaches."""
        if self._outbox is not None:
            self._outbox.pool.on_write = on_write

    @property
    def outbox(self) -> Outbox:
        """Raises Refusal where there is no gateway."""
        if self._outbox is None or self._outbox.settings.api_key is None:
            missing = "SAK_BASE_URL and SAK_API_KEY are" if self._outbox is None else "SAK_API_KEY is"
            raise ApiError(503, "sak_not_configured", f"There is no gateway to send with: {missing} not set.")
        return self._outbox

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """While this lasts, sends are taken, and those that nobody will answer any more are found."""
        if self._outbox is None:
            yield
            return
        self._outbox.open()
        tasks = [asyncio.create_task(self._abandon_interrupted(self._outbox))]
        if self._session_monitor is not None:
            tasks.append(asyncio.create_task(self._session_monitor.run()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await anyio.to_thread.run_sync(self._outbox.close)

    async def send(
        self, request: SendRequest, *, token_name: str, session_id: str, idempotency_key: str | None
    ) -> SendOutcome:
        """Send a letter, or say what became of it; raises Refusal and StoreError before the gateway is asked."""
        if self._gateway_limiter.statistics().tasks_waiting >= _MAX_WAITING:
            raise ApiError(503, "too_many_sends", "Too many sends are waiting for the gateway.", {"retry-after": "5"})
        outbox = self.outbox
        draft = await anyio.to_thread.run_sync(
            lambda: outbox.prepare(
                request, token_name=token_name, session_id=session_id, idempotency_key=idempotency_key
            ),
            limiter=self._gateway_limiter,
        )
        landed = self._in_flight[draft.send_id] = asyncio.Event()
        try:
            posted = await anyio.to_thread.run_sync(
                lambda: outbox.submit(draft, request), limiter=self._gateway_limiter
            )
        finally:
            del self._in_flight[draft.send_id]
            landed.set()
        return posted if posted.is_new else await self._wait_for_original(posted)

    async def _wait_for_original(self, outcome: SendOutcome) -> SendOutcome:
        """The answer to a copy: the first one's, which may be on its way here or in another process."""
        pause = 0.05
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DUPLICATE_WAIT_SECONDS):
                while outcome.send.state == "accepted":
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._in_flight.get(outcome.send.send_id, asyncio.Event()).wait()
                    pause = min(2 * pause, 1.0)
                    found = await anyio.to_thread.run_sync(
                        self.outbox.get, outcome.send.send_id, limiter=self._database_limiter
                    )
                    assert found is not None, "sends are not deleted while somebody asks"
                    outcome = SendOutcome(found, is_new=False)
        return outcome

    async def _abandon_interrupted(self, outbox: Outbox) -> None:
        def abandon() -> list[UUID]:
            with outbox.pool.connection() as connection:
                return unsettled.mark_interrupted(connection, outbox.owner)

        while True:
            try:
                lost = await anyio.to_thread.run_sync(abandon, limiter=self._database_limiter)
            except errors.StoreError as error:
                log.warning("not looking for interrupted sends: %s", error)
            else:
                for send_id in lost:
                    log.warning("send %s was interrupted: nobody knows whether it went out", send_id)
            await asyncio.sleep(_SWEEP_INTERVAL)

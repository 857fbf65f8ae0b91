"""Runs the sends of a process: limits how many run concurrently, and makes duplicates wait for the original."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Self
from uuid import UUID

import anyio
import anyio.to_thread

from api.gateway.timeouts import Timeouts
from api.http.errors import ApiError
from api.sending.history_reader import HistoryReader
from api.sending.outbox import Outbox, SendOutcome
from api.sending.requests import SendRequest
from api.sending.senders import Senders
from api.sending.session_monitor import SessionMonitor
from api.settings import Settings
from store.postgres import errors
from store.sending import echoes, unsettled

log = logging.getLogger(__name__)

_MAX_GATEWAY_CALLS = 40
"""The number of concurrent calls to the gateway, which equals the number of its client's connections."""
_MAX_WAITING = 1_000
"""The number of requests that may wait for a call. Further ones are rejected."""
_DUPLICATE_WAIT_SECONDS = 60.0
"""The time in seconds that a duplicate waits for the outcome of the original, whose call takes little more than 50 s.
"""
_SWEEP_INTERVAL = 5.0
"""The time between two searches for sends of dead processes, in seconds."""
_RELOAD_INTERVAL = 1.0
"""The time between two checks of senders.toml, in seconds."""


class SendDispatcher:
    def __init__(
        self, outbox: Outbox, senders: Senders, background: Sequence[SessionMonitor | HistoryReader] = ()
    ) -> None:
        """Create a dispatcher. `background` runs as long as sends are accepted."""
        self._outbox = outbox
        self._senders = senders
        self._is_open = False
        self._background = background
        self._gateway_limiter = anyio.CapacityLimiter(_MAX_GATEWAY_CALLS)
        self._database_limiter = anyio.CapacityLimiter(2)
        self._in_flight: dict[UUID, asyncio.Event] = {}

    @classmethod
    def from_settings(cls, settings: Settings, timeouts: Timeouts | None = None) -> Self:
        """Create a dispatcher. Without a gateway, `send` raises ApiError."""
        senders = Senders(settings.senders_file, settings.sender, timeouts)
        outbox = Outbox(settings.direct_database_url, settings.sak, timeouts, senders)
        background: list[SessionMonitor | HistoryReader] = []
        if settings.sak is not None and (session_id := settings.sak.session_id):
            if seconds := settings.session_poll_seconds:
                background.append(SessionMonitor(outbox.pool, outbox.client, session_id, seconds))
            if settings.sak.api_key and (seconds := settings.history_read_seconds):
                own_phone = settings.sak.own_phone
                background.append(HistoryReader(outbox.pool, outbox.client, session_id, own_phone, seconds))
        return cls(outbox, senders, background)

    def observe_writes(self, on_write: Callable[[str], None]) -> None:
        """Call `on_write` after every write with the WAL position that PostgreSQL has reached."""
        self._outbox.pool.on_write = on_write

    @property
    def outbox(self) -> Outbox:
        """The outbox. Raises ApiError if no gateway is configured."""
        if not self._is_open or not self._senders:
            self.require_sak()
        return self._outbox

    @property
    def default_session(self) -> str | None:
        """SAK_SESSION_ID."""
        sak = self._outbox.settings
        return None if sak is None else sak.session_id

    def require_sak(self) -> None:
        """Raise ApiError if SAK is not configured."""
        sak = self._outbox.settings
        if sak is None or sak.api_key is None:
            missing = "SAK_BASE_URL and SAK_API_KEY are" if sak is None else "SAK_API_KEY is"
            raise ApiError(503, "sak_not_configured", f"No gateway is configured: {missing} not set.")

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Accept sends until the block ends, and mark sends of dead processes."""
        self._open_if_needed()
        tasks = [asyncio.create_task(work()) for work in (self._watch_senders, self._abandon_interrupted)]
        tasks += [asyncio.create_task(work.run()) for work in self._background]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._is_open:
            await anyio.to_thread.run_sync(self._outbox.close)

    async def send(self, request: SendRequest, token_name: str, session_id: str, key: str | None) -> SendOutcome:
        """Return the outcome of a send. Raises ApiError and StoreError only before the gateway is called."""
        if self._gateway_limiter.statistics().tasks_waiting >= _MAX_WAITING:
            sentence = "Too many sends are waiting for the gateway; try again in 5 seconds."
            raise ApiError(503, "too_many_sends", sentence, {"retry-after": "5"})
        outbox = self.outbox
        draft = await anyio.to_thread.run_sync(
            outbox.prepare, request, token_name, session_id, key, limiter=self._gateway_limiter
        )
        done = self._in_flight[draft.send_id] = asyncio.Event()
        try:
            outcome = await anyio.to_thread.run_sync(outbox.submit, draft, request, limiter=self._gateway_limiter)
        finally:
            del self._in_flight[draft.send_id]
            done.set()
        return outcome if outcome.is_new else await self._wait_for_original(outcome)

    async def _wait_for_original(self, outcome: SendOutcome) -> SendOutcome:
        """Return the outcome of the original, which may be running in this process or in another one."""
        send_id, pause = outcome.send.send_id, 0.05
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DUPLICATE_WAIT_SECONDS):
                while outcome.send.state == "accepted":
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._in_flight.get(send_id, asyncio.Event()).wait()
                    pause = min(2 * pause, 1.0)
                    send = await anyio.to_thread.run_sync(self.outbox.get, send_id, limiter=self._database_limiter)
                    assert send is not None, "sends are not deleted while a request waits for them"
                    outcome = SendOutcome(send, is_new=False)
        return outcome

    def _open_if_needed(self) -> None:
        """Connect to the database once there is a gateway. Without one, nothing is sent or looked up."""
        if not self._is_open and (self._senders or self._outbox.settings is not None):
            self._outbox.open()
            self._is_open = True

    async def _watch_senders(self) -> None:
        while True:
            await anyio.to_thread.run_sync(self._senders.reload, limiter=self._database_limiter)
            self._open_if_needed()
            await asyncio.sleep(_RELOAD_INTERVAL)

    async def _abandon_interrupted(self) -> None:
        outbox = self._outbox

        def abandon() -> list[UUID]:
            with outbox.pool.connection() as connection:
                unsettled.expire_queued(connection)
                for send_id in echoes.settle(connection):
                    log.info("send %s was sent, as an event of its gateway shows", send_id)
                return unsettled.mark_interrupted(connection, outbox.owner)

        while True:
            if not self._is_open:
                await asyncio.sleep(_SWEEP_INTERVAL)
                continue
            try:
                send_ids = await anyio.to_thread.run_sync(abandon, limiter=self._database_limiter)
            except errors.StoreError as error:
                log.warning("cannot check for interrupted sends: %s", error)
            else:
                for send_id in send_ids:
                    log.warning("send %s was interrupted; its outcome is unknown", send_id)
            await asyncio.sleep(_SWEEP_INTERVAL)

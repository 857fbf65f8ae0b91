"""Sends among the requests of a process: side by side within bounds, and copies of one request wait for the first."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Self
from uuid import UUID

import anyio
import anyio.to_thread

from api.gateway.timeouts import Patience
from api.http.errors import Refusal
from api.sending.outbox import Outbox, Posted
from api.sending.requests import Letter
from api.sending.session_monitor import Watch
from api.settings import Settings
from store.postgres import errors
from store.sending import unsettled

log = logging.getLogger(__name__)

_AT_ONCE = 40
"""Requests to the gateway at the same time, as many as its client has connections."""
_IN_LINE = 1_000
"""Requests that wait for their turn; more are told to come back."""
_PATIENCE = 40.0
"""Seconds that a copy of a request waits for the first one's answer, which takes at most 30 and a little."""
_SWEEP = 5.0
"""Seconds between two looks for what a process left behind that is gone."""


class Dispatch:
    def __init__(self, outbox: Outbox | None, watch: Watch | None = None) -> None:
        self._outbox = outbox
        self._watch = watch
        self._turns = anyio.CapacityLimiter(_AT_ONCE)
        self._aside = anyio.CapacityLimiter(2)
        self._asking: dict[UUID, asyncio.Event] = {}

    @classmethod
    def of(cls, settings: Settings, patience: Patience | None = None) -> Self:
        """Without a gateway in the settings it refuses to send."""
        if settings.sak is None:
            return cls(None)
        outbox = Outbox(settings.direct_url, settings.sak, patience)
        watch = None
        if settings.watch_seconds and settings.sak.session_id:
            watch = Watch(outbox.pool, outbox.client, settings.sak.session_id, settings.watch_seconds)
        return cls(outbox, watch)

    def tell(self, wrote: Callable[[str], None]) -> None:
        """Have it told after every write of ours up to where PostgreSQL's log reaches."""
        if self._outbox is not None:
            self._outbox.pool.wrote = wrote

    @property
    def outbox(self) -> Outbox:
        """Raises Refusal where there is no gateway."""
        if self._outbox is None or self._outbox.settings.api_key is None:
            missing = "SAK_BASE_URL and SAK_API_KEY are" if self._outbox is None else "SAK_API_KEY is"
            raise Refusal(503, "sak_not_configured", f"There is no gateway to send with: {missing} not set.")
        return self._outbox

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncGenerator[None]:
        """While this lasts, sends are taken, and those that nobody will answer any more are found."""
        if self._outbox is None:
            yield
            return
        self._outbox.open()
        tasks = [asyncio.create_task(self._sweep(self._outbox))]
        if self._watch is not None:
            tasks.append(asyncio.create_task(self._watch.run()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await anyio.to_thread.run_sync(self._outbox.close)

    async def send(self, letter: Letter, *, token: str, session_id: str, key: str | None) -> Posted:
        """Send a letter, or say what became of it; raises Refusal and StoreError before the gateway is asked."""
        if self._turns.statistics().tasks_waiting >= _IN_LINE:
            raise Refusal(503, "too_many_sends", "Too many sends are waiting for the gateway.", {"retry-after": "5"})
        outbox = self.outbox
        draft = await anyio.to_thread.run_sync(
            lambda: outbox.draft(letter, token=token, session_id=session_id, key=key), limiter=self._turns
        )
        landed = self._asking[draft.send_id] = asyncio.Event()
        try:
            posted = await anyio.to_thread.run_sync(lambda: outbox.post(draft, letter), limiter=self._turns)
        finally:
            del self._asking[draft.send_id]
            landed.set()
        return posted if posted.new else await self._wait(posted)

    async def _wait(self, posted: Posted) -> Posted:
        """The answer to a copy: the first one's, which may be on its way here or in another process."""
        pause = 0.05
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while posted.send.state == "accepted":
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._asking.get(posted.send.send_id, asyncio.Event()).wait()
                    pause = min(2 * pause, 1.0)
                    found = await anyio.to_thread.run_sync(self.outbox.get, posted.send.send_id, limiter=self._aside)
                    assert found is not None, "sends are not deleted while somebody asks"
                    posted = Posted(found, new=False)
        return posted

    async def _sweep(self, outbox: Outbox) -> None:
        def abandon() -> list[UUID]:
            with outbox.pool.connection() as connection:
                return unsettled.abandon(connection, outbox.owner)

        while True:
            try:
                lost = await anyio.to_thread.run_sync(abandon, limiter=self._aside)
            except errors.StoreError as error:
                log.warning("not looking for interrupted sends: %s", error)
            else:
                for send_id in lost:
                    log.warning("send %s was interrupted: nobody knows whether it went out", send_id)
            await asyncio.sleep(_SWEEP)

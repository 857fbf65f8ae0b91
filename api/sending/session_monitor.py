"""Looks now and then whether SAK's session is connected, so that a chat can say when messages may be missing.

Frugal: SAK allows 100 requests a minute for everything, and asking about a session that is away can make SAK reconnect
it. So one process looks for all, and looks less and less often while the session is away.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

import anyio
import anyio.to_thread

from api.gateway import errors
from api.gateway.client import SakClient
from store.history import outages
from store.history.outages import ConnectionCheck
from store.postgres.errors import StoreError
from store.postgres.pool import Pool

log = logging.getLogger(__name__)

_MAX_INTERVAL = 900.0
"""Seconds between looks that led nowhere for long."""
_CLAIM_INTERVAL = 5.0
"""Seconds after which a process asks the database whether it is time to look."""


@dataclass(frozen=True, slots=True)
class SessionMonitor:
    pool: Pool
    client: SakClient
    session_id: str
    interval_seconds: float

    async def run(self) -> None:
        """Until cancelled."""
        thread = anyio.CapacityLimiter(1)
        while True:
            try:
                await anyio.to_thread.run_sync(self.poll, limiter=thread)
            except StoreError as error:
                log.warning("the session is not watched just now: %s", error)
            await asyncio.sleep(min(self.interval_seconds, _CLAIM_INTERVAL))

    def poll(self) -> ConnectionCheck | None:
        """Look, if it is time, and write down what was seen; None if it was not, or nothing was seen."""
        with self.pool.connection() as connection:
            # Longer than a look takes: whoever dies while looking delays the next look, no more.
            if not outages.claim_check(connection, self.session_id, max(self.interval_seconds, 60.0)):
                return None
        now = time.time_ns() // 1_000_000
        pause = self.interval_seconds
        look = None
        try:
            connected = self.client.session_state(self.session_id).connected
            look = (
                ConnectionCheck(now, None)
                if connected
                else ConnectionCheck(now, "disconnected", "SAK says that it is not connected")
            )
        except (errors.UnreachableError, errors.OutcomeUnknownError) as error:
            look = ConnectionCheck(now, "unreachable", str(error))
        except errors.RateLimitedError as error:
            pause = max(2 * self.interval_seconds, error.retry_after or 0.0)
        except errors.SakError as error:
            # It tells nothing of the session, and will be the same the next time.
            log.warning("the session cannot be watched: %s", error)
            pause = _MAX_INTERVAL
        with self.pool.connection() as connection:
            if look is not None:
                away = outages.record_check(connection, self.session_id, look)
                pause = min(self.interval_seconds * 2 ** min(away, 10), max(_MAX_INTERVAL, self.interval_seconds))
            outages.postpone_check(connection, self.session_id, pause)
        return look

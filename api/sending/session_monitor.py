"""Polls the state of SAK's session and records its outages, its phone number and its name.

SAK allows 100 requests a minute in total, and polling a disconnected session can make SAK reconnect it. One process
therefore polls for all, at growing intervals while the session is disconnected.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

import anyio
import anyio.to_thread

from api.gateway import errors, times
from api.gateway.client import SakClient
from api.gateway.payloads import SessionStatus
from store.history.sessions import auto_replies, outages
from store.history.sessions.outages import ConnectionCheck
from store.model import addresses
from store.model.timestamps import EARLIEST_PLAUSIBLE
from store.postgres.errors import StoreError
from store.postgres.pool import Pool

log = logging.getLogger(__name__)

_MAX_INTERVAL = 900.0
"""The longest time between two polls in seconds, unless the configured interval is longer."""
_CLAIM_INTERVAL = 5.0
"""The time between two checks whether a poll is due, in seconds."""
_AUTO_REPLY_INTERVAL = 3600.0
"""The time in seconds between two queries whether SAK replies automatically."""
_MAX_NAME = 200
"""The number of characters of a session's name that are kept."""


@dataclass(frozen=True, slots=True)
class SessionMonitor:
    pool: Pool
    client: SakClient
    session_id: str
    interval_seconds: float

    async def run(self) -> None:
        """Poll until cancelled."""
        thread = anyio.CapacityLimiter(1)
        while True:
            try:
                await anyio.to_thread.run_sync(self.poll, limiter=thread)
            except StoreError as error:
                log.warning("session poll failed: %s", error)
            await asyncio.sleep(min(self.interval_seconds, _CLAIM_INTERVAL))

    def poll(self) -> ConnectionCheck | None:
        """Poll if it is due and record the result. Return None if it is not due or the state remains unknown."""
        with self.pool.connection() as connection:
            # The claim lasts longer than a poll, so a process that dies during a poll only delays the next one.
            if not outages.claim_check(connection, self.session_id, max(self.interval_seconds, 60.0)):
                return None
        now = time.time_ns() // 1_000_000
        pause = self.interval_seconds
        check = None
        try:
            check = _to_check(now, self.client.session_status(self.session_id))
        except (errors.UnreachableError, errors.OutcomeUnknownError) as error:
            check = ConnectionCheck(now, "unreachable", str(error))
        except errors.RateLimitedError as error:
            pause = max(2 * self.interval_seconds, error.retry_after or 0.0)
        except errors.GatewayError as error:
            # The response shows nothing about the session, and this will not change soon.
            log.warning("session poll rejected: %s", error)
            pause = _MAX_INTERVAL
        with self.pool.connection() as connection:
            if check is not None:
                failures = outages.record_check(connection, self.session_id, check)
                pause = min(self.interval_seconds * 2 ** min(failures, 10), max(_MAX_INTERVAL, self.interval_seconds))
            outages.postpone_check(connection, self.session_id, pause)
        if check is not None and check.outage_kind is None:
            self._record_auto_reply()
        return check

    def _record_auto_reply(self) -> None:
        """Record once an hour whether SAK replies automatically. Only the owner's token may query it."""
        if not self.client.has_owner_token:
            return
        with self.pool.connection() as connection:
            if not auto_replies.claim(connection, self.session_id, _AUTO_REPLY_INTERVAL):
                return
        try:
            sessions = self.client.list_sessions()
        except errors.GatewayError as error:
            log.warning("SAK does not report whether it replies automatically: %s", error)
            return
        now = time.time_ns() // 1_000_000
        for session in sessions:
            if session.session_id == self.session_id and session.auto_reply is not None:
                with self.pool.connection() as connection:
                    auto_replies.record(connection, self.session_id, is_enabled=session.auto_reply, reported_at=now)


def _to_check(now: int, state: SessionStatus) -> ConnectionCheck:
    """Return the check for a response at `now` in ms. A phone or time that cannot be right is left out."""
    connected_at = times.to_ms(state.last_connected_at)
    return ConnectionCheck(
        now,
        None if state.connected else "disconnected",
        "" if state.connected else "SAK reports it as not connected",
        last_connected_at=connected_at if connected_at and EARLIEST_PLAUSIBLE <= connected_at <= now else None,
        phone=addresses.parse_phone(state.phone),
        name=state.name and state.name[:_MAX_NAME],
    )

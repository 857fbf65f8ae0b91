"""Reads SAK's list of sent messages, so that messages of SAK's other clients are recorded and count as answers.

SAK sends no event about them. Its list contains the number, type and time of a message, but not its content. SAK allows
100 requests a minute in total, so one process reads for all, rarely, and reads a limited number of pages.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

import anyio
import anyio.to_thread

from api.gateway import errors, times
from api.gateway.client import SakClient
from api.gateway.payloads import SentListEntry
from api.sending import gateway_results, reconciliation
from store.model.timestamps import EARLIEST_PLAUSIBLE
from store.postgres.errors import StoreError
from store.postgres.pool import Pool
from store.sending import gateway_history_reads, listed_sends
from store.sending.gateway_history_reads import ReadPosition
from store.sending.listed_sends import ListedSend, MatchWindow
from store.sending.sends import SendKind
from store.sending.unsettled import MAX_ANSWER_SECONDS

log = logging.getLogger(__name__)

_PAGE_SIZE, _MAX_PAGES = 100, 5
_FIRST_DAYS = 7
"""The number of days that the first read goes back."""
_OVERLAP_MS = 600_000
"""The time in ms for which entries are read again, because SAK may list one late."""
_MAX_PAUSE = 6 * 3600.0
"""The longest time in seconds between two reads while reads fail."""
_CLAIM_INTERVAL = 5.0
_SENT = frozenset({"sent", "delivered", "read"})
_WINDOW = MatchWindow(before=reconciliation.WINDOW_BEFORE_MS, after=reconciliation.WINDOW_AFTER_MS)


@dataclass(frozen=True, slots=True)
class HistoryReader:
    pool: Pool
    client: SakClient
    session_id: str
    own_phone: str | None
    interval_seconds: float

    async def run(self) -> None:
        """Read until cancelled."""
        thread = anyio.CapacityLimiter(1)
        while True:
            try:
                await anyio.to_thread.run_sync(self.read, limiter=thread)
            except StoreError as error:
                log.warning("cannot record SAK's list of sent messages: %s", error)
            await asyncio.sleep(min(self.interval_seconds, _CLAIM_INTERVAL))

    def read(self) -> int | None:
        """Read the list if it is due.

        Return the number of new messages, or None if it was not due or SAK did not respond.
        """
        with self.pool.connection() as connection:
            position = gateway_history_reads.claim(connection, self.session_id, self.interval_seconds)
        if position is None:
            return None
        try:
            return self._read_pages(position)
        except errors.GatewayError as error:
            log.warning("SAK's list of sent messages is not available: %s", error)
            seconds = max(2 * self.interval_seconds, errors.retry_after(error) or 0.0)
            with self.pool.connection() as connection:
                gateway_history_reads.fail(connection, self.session_id, seconds, max(_MAX_PAUSE, seconds))
            return None

    def _read_pages(self, position: ReadPosition) -> int:
        """Read pages and record each before the next is requested. Raises GatewayError."""
        new = 0
        for _ in range(_MAX_PAGES):
            entries = self.client.list_sent_messages(_PAGE_SIZE, position.seen, self.session_id)
            now = time.time_ns() // 1_000_000
            settled = [entry for entry in entries if _is_settled(entry, now)]
            position, is_complete = _advance(position, entries, settled, now)
            with self.pool.connection() as connection:
                new += listed_sends.record(
                    connection, self.session_id, list(_listed(settled, now)), _WINDOW, own_phone=self.own_phone
                )
                gateway_history_reads.advance(connection, self.session_id, position)
            if is_complete:
                break
        if new:
            log.info("SAK's list has %s messages of other clients that were not known", new)
        return new


def _is_settled(entry: SentListEntry, now: int) -> bool:
    """Return whether no process can still be waiting for the response to this entry's send, which may be our own."""
    at = times.to_ms(entry.created_at)
    return at is None or at <= now - 1000 * MAX_ANSWER_SECONDS


def _advance(
    position: ReadPosition, entries: list[SentListEntry], settled: list[SentListEntry], now: int
) -> tuple[ReadPosition, bool]:
    """Return the position after a page, and whether it completes the read."""
    dated = [at for entry in settled if (at := times.to_ms(entry.created_at)) is not None]
    newest_at = max((at for at in (position.newest_at, *dated) if at is not None), default=None)
    first = now - _FIRST_DAYS * 86_400_000
    oldest_wanted = first if position.read_until is None else position.read_until - _OVERLAP_MS
    if len(entries) < _PAGE_SIZE or (dated and min(dated) < oldest_wanted):
        return ReadPosition(position.read_until if newest_at is None else newest_at), True
    # Messages sent in the meantime move the rest of the list down, so the next page may repeat entries but skips none.
    return ReadPosition(position.read_until, newest_at, position.seen + len(entries)), False


def _listed(entries: Iterable[SentListEntry], now: int) -> Iterable[ListedSend]:
    """Yield the entries for messages that were sent and that can be recorded."""
    oldest = now - _FIRST_DAYS * 86_400_000
    for entry in entries:
        at = times.to_ms(entry.created_at)
        message_id = gateway_results.valid_message_id(entry.message_id)
        kind = _KINDS.get(entry.type)
        if entry.status not in _SENT or at is None or message_id is None or kind is None:
            continue
        if max(oldest, EARLIEST_PLAUSIBLE) <= at <= now and (address := reconciliation.recipient_digits(entry.to)):
            yield ListedSend(message_id, address, kind, at)


_KINDS: dict[str, SendKind] = {kind: kind for kind in get_args(SendKind)}

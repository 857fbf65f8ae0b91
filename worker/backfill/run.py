"""Reads a gateway page by page, and stores each page together with the position of the next one."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from store.erasure.suppressions import SuppressionCache
from store.ingestion import apply, backfills
from store.ingestion.backfills import Backfill
from store.model import lines
from store.model.batches import Batch, Event
from store.model.facts import Outcome
from store.postgres.connections import Connection
from store.postgres.errors import PermanentError
from worker.backfill import gateways
from worker.backfill.pages import Gateway, Page, Period
from worker.drain import poison, retry
from worker.senders import dispatch, event_digest

RETRY_SECONDS = 60.0
"""The time in seconds for which PostgreSQL may be unavailable before a backfill fails."""
END = "end"
"""The position after the last page of a chat."""


@dataclass(slots=True)
class Progress:
    pages: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    place: str = ""
    """The session and the chat. The gateway chooses their names, so characters that control a terminal are escaped."""


@dataclass(frozen=True, slots=True)
class BackfillRun:
    """One run of a backfill, with its connections."""

    connection: Connection
    gateway: Gateway
    own_phone: str | None
    suppressions: SuppressionCache
    now: int
    """The time of the run, in ms."""
    progress: Progress = field(default_factory=Progress)

    def run(self, backfill: Backfill, stopped: Callable[[], bool]) -> bool:
        """Run until the end or until stopped. Return whether the end was reached.

        Raises BackfillError and StoreError.
        """
        period = Period(backfill.since, backfill.until)
        for session, chat, first_position in self._places(backfill.cursor):
            self.progress.place = lines.escape_invisible(f"{session} {chat}".strip())
            position = first_position
            while position != END:
                if stopped():
                    return False
                page = self.gateway.page(session, chat, position, period)
                position = page.next_position or END
                backfill = self._store(backfill, session, page, (session, chat, position))
        self._save(backfill, [], None)
        return True

    def _places(self, cursor: Sequence[str] | None) -> Iterator[tuple[str, str, str | None]]:
        """Yield the remaining sessions and chats in order, with the position in the first of them."""
        for session in self.gateway.sessions():
            if cursor is not None and session < cursor[0]:
                continue
            for chat in self.gateway.chats(session):
                if cursor is None or (session, chat) > (cursor[0], cursor[1]):
                    yield session, chat, None
                elif (session, chat) == (cursor[0], cursor[1]) and cursor[2] != END:
                    yield session, chat, cursor[2] or None

    def _store(self, backfill: Backfill, session: str, page: Page, cursor: Sequence[str]) -> Backfill:
        bodies = [gateways.to_body(self.gateway.event(session, record)) for record in page.records]
        events = [self._event(backfill, index, body) for index, body in enumerate(bodies)]
        try:
            stored, counts = self._save(backfill, events, cursor)
        except PermanentError:
            stored, counts = self._save(backfill, [self._parked_if_rejected(event) for event in events], cursor)
        self.progress.pages += 1
        self.progress.counts.update(counts)
        return stored

    def _save(
        self, backfill: Backfill, events: Sequence[Event], cursor: Sequence[str] | None
    ) -> tuple[Backfill, Counter[str]]:
        return retry.retry_transient(
            lambda: backfills.store_page(
                self.connection,
                backfill,
                events,
                cursor,
                own_phone=self.own_phone,
                suppressions=self.suppressions,
            ),
            seconds=RETRY_SECONDS,
            should_stop=lambda: self.connection.closed,
            on_retry=lambda: None,
        )

    def _event(self, backfill: Backfill, index: int, body: bytes) -> Event:
        """Return the event of a record. It counts as received at the time when its message was written.

        An erasure therefore applies to it as it would have at that time, and chats, sessions and partitions do not
        treat it as new.
        """
        redacted = dispatch.redact(backfill.sender, body)
        result = dispatch.parse(backfill.sender, redacted)
        times = [fact.time for fact in result.outcome.all_facts if fact.time is not None]
        digest = event_digest.digest(
            event_digest.of_sender(backfill.sender, redacted),
            writer=backfill.writer,
            number=backfill.number + 1,
            index=index,
            is_self_identifying=result.is_self_identifying,
        )
        received_at = min(self.now, max(times, default=self.now))
        return Event(index, received_at, redacted, digest, result.outcome, 0, backfill.sender)

    def _parked_if_rejected(self, event: Event) -> Event:
        """Return the event, parked if PostgreSQL rejects it."""
        try:
            apply.dry_run(
                self.connection,
                [Batch(uuid.uuid4().hex, 1, 1, (event,))],
                own_phone=self.own_phone,
                suppressions=self.suppressions,
            )
        except PermanentError:
            return replace(event, outcome=Outcome("parked", poison.REJECTED_BY_STORE, None, None, None))
        return event

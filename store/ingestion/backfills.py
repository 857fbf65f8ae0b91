"""Stores the pages that a backfill reads, each in one transaction with the position of the next page."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from store.erasure.suppressions import SuppressionCache
from store.ingestion import apply
from store.model.batches import Batch, Event
from store.postgres import advisory_locks, errors
from store.postgres.connections import Connection


class BackfillRunningError(errors.StoreError):
    """Another backfill is running on this database."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill from one sender, and its progress."""

    sender: str
    """The sender as `kind:name`."""
    writer: str
    """The writer in the identity of its batches, as for an ingest process."""
    number: int
    """The number of batches stored so far."""
    events: int
    """The number of events stored so far, including copies."""
    since: int | None
    until: int
    cursor: Sequence[str] | None
    """(session, chat, position) of the next page, or None before the first page."""


def acquire_lock(connection: Connection) -> None:
    """Become the only backfill until the connection ends. Raises BackfillRunningError and TransientError."""
    with errors.translated():
        if not advisory_locks.try_acquire_for_connection(connection, advisory_locks.BACKFILL):
            raise BackfillRunningError("Another backfill runs on this database.")


def begin(connection: Connection, sender: str, since: int | None, now: int, *, restart: bool) -> Backfill:
    """Return the sender's unfinished backfill, or a new one for the time until `now`, in ms. Raises TransientError.

    An unfinished one continues only with the same `since`. Otherwise, or with `restart`, a new one begins.
    """
    with errors.translated():
        connection.execute(
            """
            INSERT INTO backfills AS b (sender, writer, since, until)
            VALUES (%(sender)s, %(writer)s, %(since)s, %(until)s)
            ON CONFLICT (sender) DO UPDATE
            SET writer = excluded.writer, number = 0, events = 0, since = excluded.since, until = excluded.until,
                cursor = NULL, finished_at = NULL
            WHERE %(restart)s OR b.finished_at IS NOT NULL OR b.since IS DISTINCT FROM excluded.since
            """,
            {"sender": sender, "writer": uuid.uuid4(), "since": since, "until": now, "restart": restart},
        )
        row = connection.execute(
            """
            SELECT replace(b.writer::text, '-', ''), b.number, b.events, b.since, b.until, b.cursor
            FROM backfills AS b
            WHERE b.sender = %s
            """,
            [sender],
        ).fetchone()
    assert row is not None, "it was inserted or was there"
    return Backfill(sender, *cast("tuple[str, int, int, int | None, int, Sequence[str] | None]", row))


def store_page(  # noqa: PLR0913 - a page, its place and its context
    connection: Connection,
    backfill: Backfill,
    events: Sequence[Event],
    cursor: Sequence[str] | None,
    *,
    own_phone: str | None,
    suppressions: SuppressionCache,
) -> tuple[Backfill, Counter[str]]:
    """Store the events and the position of the next page in one transaction. Without `cursor`, this was the last page.

    Returns the updated backfill and the number of events by outcome. Raises the errors of `apply.batches`.
    """
    moved = replace(backfill, cursor=cursor)
    counts: Counter[str] = Counter()
    with errors.translated(), connection.transaction():
        if events:
            moved = replace(moved, number=backfill.number + 1, events=backfill.events + len(events))
            batch = Batch(backfill.writer, moved.number, moved.events, tuple(events))
            counts = apply.batches(connection, [batch], own_phone=own_phone, suppressions=suppressions)
        connection.execute(
            """
            UPDATE backfills AS b
            SET number = %(number)s, events = %(events)s, cursor = %(cursor)s::jsonb,
                finished_at = CASE WHEN %(cursor)s::jsonb IS NULL THEN now() END
            WHERE b.sender = %(sender)s
            """,
            {
                "number": moved.number,
                "events": moved.events,
                "cursor": None if cursor is None else json.dumps(cursor),
                "sender": backfill.sender,
            },
        )
    return moved, counts

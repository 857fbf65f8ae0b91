"""Stores what a backfill reads, page by page, each with the position of the next one in the same transaction."""

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
    """Another backfill runs on this database."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill of one sender, and how far it is."""

    sender: str
    """`kind:name`."""
    writer: str
    """The identity of its batches, as of an ingest process."""
    number: int
    """The batches stored so far."""
    events: int
    """The events stored so far, copies included."""
    since: int | None
    until: int
    cursor: Sequence[str] | None
    """(session, chat, position) of the next page; None before the first."""


def acquire_lock(connection: Connection) -> None:
    """Be the only backfill until the connection ends; raises BackfillRunningError and TransientError."""
    with errors.translated():
        if not advisory_locks.try_acquire_for_connection(connection, advisory_locks.BACKFILL):
            raise BackfillRunningError("Another backfill runs on this database.")


def begin(connection: Connection, sender: str, since: int | None, now: int, *, restart: bool) -> Backfill:
    """The sender's unfinished backfill, or a new one until `now`, in ms. Raises TransientError.

    An unfinished one goes on only with the same `since`; otherwise, and with `restart`, another one begins.
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
    """Store the events of a page and move on to the next, in one transaction; without `cursor` it was the last page.

    Returns the backfill as it is then, and how the events were counted. Raises what `apply.batches` raises.
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

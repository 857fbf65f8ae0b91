"""Finds batches that are missing from the ledger, proves which of them are lost, and lists the accepted losses."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from store.ledger.batch_runs import SEGMENTS
from store.postgres.connections import Connection

LOST_AFTER = 15
"""The time in seconds by which the stream must be stored beyond the last moment at which a missing batch can have
entered it. The batch then counts as lost.
"""
SILENT_AFTER = 15
"""The age in seconds of its last heartbeat after which a writer counts as silent."""


@dataclass(frozen=True, slots=True)
class BatchRange:
    """Consecutive batches of one writer."""

    writer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LostBatches:
    """Consecutive batches of one writer that were acknowledged but are neither in PostgreSQL nor in the stream."""

    writer: str
    first: int
    last: int
    events: int
    spooled: int
    """Always 0, because no batch counts as lost while its writer has events in its spool."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive batches of one writer that are missing and not accepted as lost."""

    writer: str
    first: int
    last: int
    before: int
    """The writer's count of events before the first batch."""
    upto: int
    """The writer's count of events up to and including the last batch."""
    is_lost: bool
    """True if the batches cannot arrive any more, because everything that entered the stream with or after them is
    stored.
    """

    @property
    def range(self) -> BatchRange:
        return BatchRange(self.writer, self.first, self.last)

    @property
    def events(self) -> int:
        return self.upto - self.before

    def lost_batches(self) -> LostBatches:
        return LostBatches(self.writer, self.first, self.last, self.events, spooled=0)


@dataclass(frozen=True, slots=True)
class AcceptedLoss:
    """A loss of batches, or the end of a silent writer, that a person accepted."""

    writer: str
    first: int | None
    """None if this is the end of a writer."""
    last: int | None
    events: int
    reason: str
    accepted_by: str
    accepted_at: datetime

    def document(self) -> dict[str, object]:
        """Return the loss as a JSON object."""
        return {**asdict(self), "accepted_at": self.accepted_at.isoformat()}


def accepted(connection: Connection) -> tuple[AcceptedLoss, ...]:
    """Return all accepted losses, oldest first, including those whose batches were found later."""
    rows = connection.execute(
        """
        SELECT l.writer, l.first, l.last, coalesce(l.upto - l.before, 0), l.reason, l.accepted_by, l.accepted_at
        FROM accepted_losses AS l
        ORDER BY l.loss_id
        """
    ).fetchall()
    return tuple(
        AcceptedLoss(cast("UUID", writer).hex, *cast("tuple[int, int, int, str, str, datetime]", values))
        for writer, *values in rows
    )


def find_gaps(connection: Connection) -> Sequence[Gap]:
    """Return the batches missing between a writer's batches and after its last one, in the caller's transaction.

    A missing batch entered the stream before its successor was stored, before its writer reported it, before its writer
    last reported events in its spool, or before its writer ended. It is lost if everything that was in the stream at
    all of these moments has been stored for a while. It is not lost while its writer is silent or has events in its
    spool, or while an entry that may be this batch is set aside.
    """
    rows = connection.execute(
        f"""
        WITH RECURSIVE {SEGMENTS},
        accounted AS (
            SELECT s.writer, s.first, s.last, s.before, s.upto, NULL::timestamptz AS accepted_at
            FROM segments AS s
            UNION ALL
            SELECT l.writer, l.first, l.last, l.before, l.upto, l.accepted_at
            FROM accepted_losses AS l
            WHERE l.first IS NOT NULL
        ),
        steps AS (
            SELECT a.writer, a.first, a.before, a.accepted_at, coalesce(max(a.last) OVER w, 0) AS last_number,
                coalesce(max(a.upto) OVER w, 0) AS last_upto
            FROM accounted AS a
            WINDOW w AS (PARTITION BY a.writer ORDER BY a.first ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ),
        ends AS (SELECT a.writer, max(a.last) AS number, max(a.upto) AS upto FROM accounted AS a GROUP BY a.writer),
        gaps AS (
            SELECT s.writer, s.last_number + 1 AS first, s.first - 1 AS last, s.last_upto AS before, s.before AS upto,
                coalesce(
                    (SELECT b.committed_at FROM batches AS b WHERE b.writer = s.writer AND b.number = s.first),
                    s.accepted_at
                ) AS passed_at
            FROM steps AS s
            WHERE s.first > s.last_number + 1
            UNION ALL
            SELECT w.writer, coalesce(e.number, 0) + 1, w.number, coalesce(e.upto, 0), w.upto,
                coalesce(w.advanced_at, w.seen_at)
            FROM writers AS w
            LEFT JOIN ends AS e USING (writer)
            WHERE w.number > coalesce(e.number, 0)
        )
        SELECT g.writer, g.first, g.last, g.before, g.upto, coalesce(
                p.unreadable = 0
                AND greatest(g.passed_at, w.spooled_at, w.ended_at) + make_interval(secs => %(lost_after)s)
                    < least(p.oldest_at, p.as_of)
                AND (
                    w.ended_at IS NOT NULL
                    OR coalesce(w.spooled, 0) = 0
                    AND coalesce(w.heartbeat_at > p.as_of - make_interval(secs => %(silence)s), true)
                ),
                false
            )
        FROM gaps AS g
        LEFT JOIN writers AS w USING (writer)
        LEFT JOIN stream_status AS p ON true
        WHERE g.upto > g.before
        ORDER BY g.writer, g.first
        """,
        {"lost_after": LOST_AFTER, "silence": SILENT_AFTER},
    )
    return [Gap(cast("UUID", writer).hex, *cast("tuple[int, int, int, int, bool]", values)) for writer, *values in rows]

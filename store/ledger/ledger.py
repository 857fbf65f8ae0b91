"""Reads the ledger: how many events were received, their outcomes, and which batches are lost.

In every snapshot: received = stored + duplicate + noise + ping + parked + forgotten + waiting.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from store.ledger.batch_runs import SEGMENTS
from store.postgres import errors
from store.postgres.connections import Connection

LOST_AFTER = 15
"""Seconds for which the stream must be empty before missing events count as lost."""
STALE_AFTER = 5
"""Seconds after which the status of the stream is too old to use."""


@dataclass(frozen=True, slots=True)
class LostBatches:
    """Consecutive batches of one writer that were acknowledged and are neither in PostgreSQL nor in the stream."""

    writer: str
    first: int
    last: int
    events: int
    spooled: int
    """The number of events in the writer's spool as last reported; if it is not 0, the events may be there."""


@dataclass(frozen=True, slots=True)
class Ledger:
    received: int
    stored: int
    duplicate: int
    noise: int
    ping: int
    parked: int
    forgotten: int
    waiting: int | None
    """None if no worker runs, so that the number received is unknown."""
    as_of: datetime | None
    """The time at which a worker last read the length of the stream."""
    lost: tuple[LostBatches, ...]
    """Empty while the stream is not."""
    oldest_waiting_at: datetime | None = None
    """The receipt of the oldest event in the stream; None if there is none, or it is unknown."""

    @property
    def exact(self) -> bool:
        """True if every acknowledged event is accounted for."""
        return self.waiting is not None and not self.lost

    def document(self) -> dict[str, object]:
        """The ledger as a JSON object."""
        times = {"as_of": self.as_of, "oldest_waiting_at": self.oldest_waiting_at}
        iso_times = {name: None if at is None else at.isoformat() for name, at in times.items()}
        return {**asdict(self), **iso_times, "exact": self.exact}


def read(connection: Connection) -> Ledger:
    """The ledger of one snapshot; raises TransientError."""
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return read_in_transaction(connection)


def read_in_transaction(connection: Connection) -> Ledger:
    """The ledger in the snapshot of the caller's transaction."""
    row = connection.execute(
        f"""
        WITH RECURSIVE {SEGMENTS},
        stored_batches AS (
            SELECT writer, max(upto) AS upto, sum(size) AS size, sum(stored) AS stored,
                sum(duplicate) AS duplicate, sum(noise) AS noise, sum(ping) AS ping, sum(parked) AS parked,
                sum(forgotten) AS forgotten
            FROM segments
            GROUP BY writer
        ),
        corrections AS (
            SELECT coalesce(sum(stored), 0) AS stored, coalesce(sum(duplicate), 0) AS duplicate,
                coalesce(sum(noise), 0) AS noise, coalesce(sum(ping), 0) AS ping,
                coalesce(sum(parked), 0) AS parked, coalesce(sum(forgotten), 0) AS forgotten
            FROM ledger_corrections
        ),
        summed AS (
            SELECT coalesce(sum(greatest(k.upto, w.upto)), 0)::bigint AS received,
                coalesce(sum(k.size), 0)::bigint AS size,
                coalesce(sum(k.stored), 0) AS stored, coalesce(sum(k.duplicate), 0) AS duplicate,
                coalesce(sum(k.noise), 0) AS noise, coalesce(sum(k.ping), 0) AS ping,
                coalesce(sum(k.parked), 0) AS parked, coalesce(sum(k.forgotten), 0) AS forgotten
            FROM stored_batches AS k
            FULL JOIN writers AS w USING (writer)
        )
        SELECT s.received, (s.stored + m.stored)::bigint, (s.duplicate + m.duplicate)::bigint,
            (s.noise + m.noise)::bigint, (s.ping + m.ping)::bigint, (s.parked + m.parked)::bigint,
            (s.forgotten + m.forgotten)::bigint, s.received - s.size, p.as_of,
            p.as_of > now() - make_interval(secs => %(stale)s),
            p.empty_since < now() - make_interval(secs => %(patience)s), p.oldest_at
        FROM summed AS s
        CROSS JOIN corrections AS m
        LEFT JOIN stream_status AS p ON true
        """,  # noqa: S608 - assembled from literals only, which the type proves
        {"stale": STALE_AFTER, "patience": LOST_AFTER},
    ).fetchone()
    assert row is not None
    received, stored, duplicate, noise, ping, parked, forgotten, waiting = cast("tuple[int, ...]", row[:8])
    as_of, is_known, is_idle = cast("tuple[datetime | None, bool | None, bool | None]", row[8:11])
    oldest = cast("datetime | None", row[11])
    lost = _lost_batches(connection) if waiting and is_known and is_idle else ()
    return Ledger(
        received,
        stored,
        duplicate,
        noise,
        ping,
        parked,
        forgotten,
        waiting if is_known else None,
        as_of,
        lost,
        oldest if is_known else None,
    )


def _lost_batches(connection: Connection) -> tuple[LostBatches, ...]:
    """The batches that are missing between those of a writer, and after its last one."""
    rows = connection.execute(
        f"""
        WITH RECURSIVE {SEGMENTS},
        steps AS (
            SELECT s.writer, s.first, s.before,
                lag(s.last, 1, 0::bigint) OVER w AS last_number, lag(s.upto, 1, 0::bigint) OVER w AS last_upto
            FROM segments AS s
            WINDOW w AS (PARTITION BY s.writer ORDER BY s.first)
        ),
        ends AS (SELECT writer, max(last) AS number, max(upto) AS upto FROM segments GROUP BY writer)
        SELECT g.writer, g.first, g.last, g.events, coalesce(w.spooled, 0)
        FROM (
            SELECT s.writer, s.last_number + 1 AS first, s.first - 1 AS last, s.before - s.last_upto AS events
            FROM steps AS s
            WHERE s.first > s.last_number + 1
            UNION ALL
            SELECT w.writer, coalesce(e.number, 0) + 1, w.number, w.upto - coalesce(e.upto, 0)
            FROM writers AS w
            LEFT JOIN ends AS e USING (writer)
            WHERE w.number > coalesce(e.number, 0)
        ) AS g
        LEFT JOIN writers AS w USING (writer)
        WHERE g.events > 0
        ORDER BY g.writer, g.first
        """  # noqa: S608 - assembled from literals only, which the type proves
    )
    return tuple(
        LostBatches(cast("UUID", writer).hex, *cast("tuple[int, int, int, int]", numbers)) for writer, *numbers in rows
    )

"""Reads the ledger: the number of received events, the number of each outcome, and the lost batches.

In every snapshot, received = stored + duplicate + noise + ping + parked + forgotten + waiting + written_off.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

from store.ledger import losses, open_questions
from store.ledger.batch_runs import SEGMENTS
from store.ledger.losses import AcceptedLoss, LostBatches
from store.ledger.open_questions import OpenQuestion
from store.postgres import errors
from store.postgres.connections import Connection

STALE_AFTER = 5
"""The age in seconds after which a status of the stream is not used."""


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
    """The events that are on their way or lost. None if no worker runs, because then the number received is unknown."""
    written_off: int
    """Lost events whose loss a person has accepted."""
    as_of: datetime | None
    """The time at which a worker last read the length of the stream."""
    lost: tuple[LostBatches, ...]
    """Batches that are provably lost. They are also listed while other events are waiting."""
    unknown: tuple[OpenQuestion, ...]
    """Places that could not be checked and may hold acknowledged events."""
    accepted_losses: tuple[AcceptedLoss, ...]
    oldest_waiting_at: datetime | None = None
    """When the oldest waiting entry was appended to the stream. None if no entry waits, or if it is not known."""

    @property
    def exact(self) -> bool:
        """True if everything could be checked and every acknowledged event is accounted for."""
        return self.waiting is not None and not self.lost and not self.unknown

    def document(self) -> dict[str, object]:
        """Return the ledger as a JSON object."""
        times = {"as_of": self.as_of, "oldest_waiting_at": self.oldest_waiting_at}
        iso_times = {name: None if at is None else at.isoformat() for name, at in times.items()}
        lists = {"unknown": self.unknown, "accepted_losses": self.accepted_losses}
        documents = {name: [one.document() for one in listed] for name, listed in lists.items()}
        return {**asdict(self), **iso_times, **documents, "exact": self.exact}


def read(connection: Connection) -> Ledger:
    """Return the ledger, read in one snapshot. Raises TransientError."""
    with errors.translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return read_in_transaction(connection)


def read_in_transaction(connection: Connection) -> Ledger:
    """Return the ledger in the snapshot of the caller's transaction."""
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
            p.as_of > now() - make_interval(secs => %(stale)s), p.oldest_at
        FROM summed AS s
        CROSS JOIN corrections AS m
        LEFT JOIN stream_status AS p ON true
        """,
        {"stale": STALE_AFTER},
    ).fetchone()
    assert row is not None
    received, stored, duplicate, noise, ping, parked, forgotten, missing = cast("tuple[int, ...]", row[:8])
    as_of, is_known, oldest = cast("tuple[datetime | None, bool | None, datetime | None]", row[8:])
    accepted = losses.accepted(connection)
    gaps = losses.find_gaps(connection) if missing else ()
    written_off = missing - sum(gap.events for gap in gaps) if accepted else 0
    return Ledger(
        received=received,
        stored=stored,
        duplicate=duplicate,
        noise=noise,
        ping=ping,
        parked=parked,
        forgotten=forgotten,
        waiting=missing - written_off if is_known else None,
        written_off=written_off,
        as_of=as_of,
        lost=tuple(gap.lost_batches() for gap in gaps if gap.is_lost) if is_known else (),
        unknown=tuple(open_questions.find(connection) if is_known else [open_questions.no_worker(as_of)]),
        accepted_losses=accepted,
        oldest_waiting_at=oldest if is_known else None,
    )

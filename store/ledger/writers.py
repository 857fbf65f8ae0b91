"""Records the reports of writers: the position of each, the number of events in its spool, and its end."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import cast
from uuid import UUID

from store.postgres import errors, json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The position of a writer according to its newest entry in the stream."""

    writer: str
    number: int
    acknowledged_events: int
    spooled_events: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A report of a writer about itself, sent once a second."""

    writer: str
    seen_at: int
    """The time by the writer's clock in ms. A heartbeat is new if this differs from the previous one."""
    number: int
    acknowledged_events: int
    spooled_events: int
    host: str
    ended: bool
    """True if nothing more can come from the writer."""


def record_positions(connection: Connection, positions: Iterable[StreamPosition]) -> None:
    """Record positions in the caller's transaction. A position older than the recorded one is ignored."""
    newest = {one.writer: one for one in sorted(positions, key=lambda one: one.number)}
    if newest:
        connection.execute(
            """
            INSERT INTO writers AS w (writer, number, upto, spooled, seen_at, advanced_at, spooled_at)
            SELECT r.writer, r.number, r.acknowledged_events, r.spooled_events, now(), now(),
                CASE WHEN r.spooled_events > 0 THEN now() END
            FROM jsonb_to_recordset(%(rows)s::jsonb)
                AS r (writer uuid, number bigint, acknowledged_events bigint, spooled_events bigint)
            ORDER BY r.writer
            ON CONFLICT (writer) DO UPDATE
            SET number = excluded.number, upto = excluded.upto, spooled = excluded.spooled, seen_at = now(),
                advanced_at = now(), spooled_at = coalesce(excluded.spooled_at, w.spooled_at)
            WHERE excluded.number > w.number
            """,
            {"rows": json_rows.encode(asdict(one) for one in newest.values())},
        )


def record_heartbeats(connection: Connection, heartbeats: Iterable[Heartbeat]) -> None:
    """Record heartbeats in the caller's transaction. A heartbeat that was already recorded is ignored."""
    rows = [asdict(one) for one in heartbeats]
    if rows:
        connection.execute(
            """
            INSERT INTO writers AS w (
                writer, number, upto, spooled, seen_at, advanced_at, spooled_at, heartbeat_ms, heartbeat_at, host,
                ended_at
            )
            SELECT r.writer, r.number, r.acknowledged_events, r.spooled_events, now(), now(),
                CASE WHEN r.spooled_events > 0 THEN now() END, r.seen_at, now(), r.host,
                CASE WHEN r.ended THEN now() END
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                writer uuid, seen_at bigint, number bigint, acknowledged_events bigint, spooled_events bigint,
                host text, ended boolean
            )
            ORDER BY r.writer
            ON CONFLICT (writer) DO UPDATE
            SET number = greatest(w.number, excluded.number), upto = greatest(w.upto, excluded.upto),
                spooled = excluded.spooled, seen_at = now(),
                advanced_at = CASE
                    WHEN excluded.number > w.number THEN now() ELSE coalesce(w.advanced_at, w.seen_at)
                END,
                spooled_at = coalesce(excluded.spooled_at, w.spooled_at), heartbeat_ms = excluded.heartbeat_ms,
                heartbeat_at = now(), host = excluded.host,
                -- A writer that reports again after its end was accepted has not ended.
                ended_at = CASE WHEN excluded.ended_at IS NOT NULL THEN coalesce(w.ended_at, now()) END
            WHERE CASE
                WHEN w.ended_at IS NULL
                THEN excluded.ended_at IS NOT NULL OR w.heartbeat_ms IS DISTINCT FROM excluded.heartbeat_ms
                -- An older report does not count: a Redis that lost the last one may repeat it.
                ELSE excluded.heartbeat_ms > coalesce(w.heartbeat_ms, 0)
            END
            """,
            {"rows": json_rows.encode(rows)},
        )


def find_ended(connection: Connection, writers: Iterable[str], seconds: float) -> Sequence[str]:
    """Return the writers that ended at least this many seconds ago. Raises TransientError."""
    with errors.translated():
        rows = connection.execute(
            """
            SELECT w.writer
            FROM writers AS w
            WHERE w.writer = ANY(%(writers)s::uuid[]) AND w.ended_at < now() - make_interval(secs => %(seconds)s)
            """,
            {"writers": list(writers), "seconds": seconds},
        ).fetchall()
    return [cast("UUID", writer).hex for (writer,) in rows]

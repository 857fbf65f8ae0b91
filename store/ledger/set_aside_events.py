"""Records events that are not in the history and the reason: parked events and noise."""

from collections.abc import Iterable
from typing import Final, Literal, LiteralString, NamedTuple, TypeAlias

from store.postgres import json_rows
from store.postgres.connections import Connection

SetAsideKind: TypeAlias = Literal["parked", "noise"]
KINDS: Final[tuple[SetAsideKind, ...]] = ("parked", "noise")
TABLES: Final[dict[SetAsideKind, LiteralString]] = {"parked": "parked_events", "noise": "noise_events"}

BOTH_TABLES: Final[LiteralString] = """(
    SELECT 'parked' AS kind, p.digest, p.event_id, p.reason, p.session_id, p.event, p.parked_at AS set_aside_at
    FROM parked_events AS p
    UNION ALL
    SELECT 'noise', n.digest, n.event_id, n.reason, n.session_id, n.event, n.recorded_at
    FROM noise_events AS n
)"""
"""Both tables as one. No event is in both."""


class SetAsideEvent(NamedTuple):
    """A row of either table. A tuple for speed."""

    digest: bytes
    event_id: int
    reason: str
    session_id: str | None
    event: str | None
    received_at: int
    sender: str | None
    """The sender as `kind:name`; None for events at /whatsapp-webhook."""


def record(connection: Connection, kind: SetAsideKind, events: Iterable[SetAsideEvent]) -> None:
    """Add the events to the list of this kind. The reason of an event that is already listed is replaced."""
    connection.execute(
        f"""
        INSERT INTO {TABLES[kind]} AS p (digest, event_id, reason, session_id, event, received_at, sender)
        SELECT decode(r.digest, 'hex'), r.event_id, r.reason, r.session_id, r.event, r.received_at, r.sender
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
            digest text, event_id bigint, reason text, session_id text, event text, received_at bigint, sender text
        )
        ORDER BY r.digest
        ON CONFLICT (digest) DO UPDATE
        SET reason = excluded.reason, session_id = excluded.session_id, event = excluded.event
        """,
        {"rows": json_rows.encode(event._asdict() for event in events)},
    )


def remove(connection: Connection, digests: Iterable[bytes], *, except_kind: str | None = None) -> None:
    """Remove the events from all lists, or from all except that of `except_kind`."""
    parameters = [sorted(set(digests))]
    for kind in KINDS:
        if kind != except_kind:
            connection.execute(
                f"DELETE FROM {TABLES[kind]} WHERE digest = ANY(%s)",
                parameters,
            )


def clear_deleted_event_ids(connection: Connection) -> None:
    """Clear the `event_id` of events whose raw event was deleted."""
    for table in TABLES.values():
        connection.execute(
            f"""
            UPDATE {table} AS p
            SET event_id = NULL
            WHERE p.event_id IS NOT NULL AND NOT EXISTS (SELECT FROM raw_events AS e WHERE e.event_id = p.event_id)
            """
        )

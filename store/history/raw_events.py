"""Stores raw bodies, with links to the messages that each is about."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from store.model.batches import Event
from store.postgres import json_rows
from store.postgres.connections import Connection


def insert(connection: Connection, events: Iterable[Event], key_ids_by_digest: Mapping[bytes, Sequence[int]]) -> None:
    """Insert the bodies of new events, with links to their message keys."""
    plain: list[Event] = []
    referenced: list[Event] = []
    for event in events:
        is_referenced = event.outcome.kind == "parked" or len(key_ids_by_digest.get(event.digest, ())) > 1
        (referenced if is_referenced else plain).append(event)
    if plain:
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY raw_events (digest, received_at, key_id, body) FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.set_types(["bytea", "int8", "int8", "bytea"])
            for event in plain:
                key_ids = key_ids_by_digest.get(event.digest, ())
                copy.write_row((event.digest, event.received_at, key_ids[0] if key_ids else None, event.body))
    for event in referenced:
        _insert_referenced(connection, event, key_ids_by_digest.get(event.digest, ()))


def _insert_referenced(connection: Connection, event: Event, key_ids: Sequence[int]) -> None:
    """Insert an event whose event_id other rows refer to: it is parked, or is about several messages."""
    row = connection.execute(
        "INSERT INTO raw_events (digest, received_at, key_id, body) VALUES (%s, %s, %s, %s) RETURNING event_id",
        [event.digest, event.received_at, key_ids[0] if key_ids else None, event.body],
    ).fetchone()
    assert row is not None
    if key_ids[1:]:
        connection.execute(
            "INSERT INTO event_keys (key_id, event_id)"
            " SELECT DISTINCT k, %s FROM unnest(%s::bigint[]) AS k ON CONFLICT DO NOTHING",
            [row[0], list(key_ids[1:])],
        )
    if event.outcome.kind == "parked":
        connection.execute(
            """
            INSERT INTO parked_events (digest, event_id, reason, session_id, event, received_at)
            SELECT decode(r.digest, 'hex'), r.event_id, r.reason, r.session_id, r.event, r.received_at
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                digest text, event_id bigint, reason text, session_id text, event text, received_at bigint
            )
            """,
            {
                "rows": json_rows.encode(
                    [
                        {
                            "digest": event.digest,
                            "event_id": row[0],
                            "reason": event.outcome.reason or "unknown",
                            "session_id": event.outcome.session_id,
                            "event": event.outcome.event_type,
                            "received_at": event.received_at,
                        }
                    ]
                )
            },
        )


def event_ids_by_key(connection: Connection, key_ids: Collection[int]) -> dict[int, list[int]]:
    """Per key, the events that are linked to it."""
    rows = connection.execute(
        """
        SELECT e.key_id, e.event_id FROM raw_events AS e WHERE e.key_id = ANY(%(keys)s)
        UNION
        SELECT k.key_id, k.event_id FROM event_keys AS k WHERE k.key_id = ANY(%(keys)s)
        """,
        {"keys": list(key_ids)},
    )
    events: defaultdict[int, list[int]] = defaultdict(list)
    for key_id, event_id in cast("Iterable[tuple[int, int]]", rows):
        events[key_id].append(event_id)
    return events


def additional_key_ids(connection: Connection, event_ids: Collection[int]) -> set[int]:
    """The second and further keys that these events are linked to."""
    rows = connection.execute("SELECT k.key_id FROM event_keys AS k WHERE k.event_id = ANY(%s)", [list(event_ids)])
    return {cast("int", key_id) for (key_id,) in rows}

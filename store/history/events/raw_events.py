"""Stores raw bodies with links to the messages that they are about."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, LiteralString, cast

from store.ledger import set_aside_events
from store.ledger.set_aside_events import SetAsideEvent
from store.model.batches import Event
from store.postgres import copying
from store.postgres.connections import Connection

_COLUMNS: Final[Mapping[LiteralString, str]] = {
    "digest": "bytea",
    "received_at": "int8",
    "key_id": "int8",
    "body": "bytea",
    "sender": "text",
    "event_id": "int8",
}


def insert(connection: Connection, events: Iterable[Event], key_ids_by_digest: Mapping[bytes, Sequence[int]]) -> None:
    """Insert the bodies of new events with links to their message keys."""
    plain: list[Event] = []
    referenced: list[Event] = []
    for event in events:
        is_referenced = _is_set_aside(event) or len(key_ids_by_digest.get(event.digest, ())) > 1
        (referenced if is_referenced else plain).append(event)
    _copy(connection, plain, key_ids_by_digest, None)
    if referenced:
        _insert_referenced(connection, referenced, key_ids_by_digest)


def _is_set_aside(event: Event) -> bool:
    return event.outcome.kind in set_aside_events.KINDS


def _copy(
    connection: Connection,
    events: Sequence[Event],
    key_ids_by_digest: Mapping[bytes, Sequence[int]],
    event_ids: Sequence[int] | None,
) -> None:
    """Copy the events into the table with these ids, or with new ids if None."""
    if not events:
        return
    columns = tuple(_COLUMNS)[: 5 if event_ids is None else 6]
    statement: LiteralString = f"COPY raw_events ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
    rows = (_row(event, key_ids_by_digest.get(event.digest, ())) for event in events)
    if event_ids is not None:
        rows = ((*row, event_id) for row, event_id in zip(rows, event_ids, strict=True))
    copying.copy(connection, statement, [_COLUMNS[column] for column in columns], rows)


def _row(event: Event, key_ids: Sequence[int]) -> tuple[object, ...]:
    return event.digest, event.received_at, key_ids[0] if key_ids else None, event.body, event.sender


def _insert_referenced(
    connection: Connection, events: Sequence[Event], key_ids_by_digest: Mapping[bytes, Sequence[int]]
) -> None:
    """Insert events whose event_id other rows refer to: parked events, noise, and events about several messages."""
    reserved = connection.execute(
        "SELECT nextval('raw_events_event_id_seq') FROM generate_series(1, %s)", [len(events)]
    ).fetchall()
    event_ids = [cast("int", event_id) for (event_id,) in reserved]
    _copy(connection, events, key_ids_by_digest, event_ids)
    further = [
        (key_id, event_id)
        for event, event_id in zip(events, event_ids, strict=True)
        for key_id in key_ids_by_digest.get(event.digest, ())[1:]
    ]
    if further:
        connection.execute(
            "INSERT INTO event_keys (key_id, event_id)"
            " SELECT DISTINCT k, e FROM unnest(%s::bigint[], %s::bigint[]) AS t (k, e) ON CONFLICT DO NOTHING",
            [[key_id for key_id, _ in further], [event_id for _, event_id in further]],
        )
    for kind in set_aside_events.KINDS:
        set_aside = [
            SetAsideEvent(
                event.digest,
                event_id,
                event.outcome.reason or "unknown",
                event.outcome.session_id,
                event.outcome.event_type,
                event.received_at,
                event.sender,
            )
            for event, event_id in zip(events, event_ids, strict=True)
            if event.outcome.kind == kind
        ]
        if set_aside:
            set_aside_events.record(connection, kind, set_aside)


def event_ids_by_key(connection: Connection, key_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the events that are linked to each key."""
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
    """Return the keys that these events are linked to beyond their first one."""
    rows = connection.execute("SELECT k.key_id FROM event_keys AS k WHERE k.event_id = ANY(%s)", [list(event_ids)])
    return {cast("int", key_id) for (key_id,) in rows}

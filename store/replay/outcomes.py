"""Updates the outcomes of events, their reasons and their links to messages, and corrects the ledger."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from store.history.messages import message_keys
from store.history.messages.message_keys import LockedKey
from store.ledger import batch_counts, set_aside_events
from store.ledger.set_aside_events import SetAsideEvent
from store.model.keys import MessageKey
from store.postgres.connections import Connection
from store.replay.sources import SourceEvent


def replace_links(connection: Connection, sources: Sequence[SourceEvent], keys: Mapping[MessageKey, LockedKey]) -> None:
    """Replace the links of these events by links to the messages that they are about now.

    If an event is also about erased people, its body is deleted and its messages are marked as pruned.
    """
    for source in sources:
        if source.is_partly_forgotten:
            message_keys.mark_pruned(connection, (keys[each].key_id for each in source.message_keys))
            _delete_body(connection, source)
            continue
        first, *further = sorted({keys[each].key_id for each in source.message_keys}) or [None]
        connection.execute("UPDATE raw_events SET key_id = %s WHERE event_id = %s", [first, source.event_id])
        connection.execute("DELETE FROM event_keys WHERE event_id = %s", [source.event_id])
        for key_id in further:
            connection.execute("INSERT INTO event_keys (key_id, event_id) VALUES (%s, %s)", [key_id, source.event_id])


def update(connection: Connection, sources: Collection[SourceEvent], reason: str) -> None:
    """Store the current outcomes of these events with one correction of the ledger."""
    moved = Counter[str]()
    for source in sources:
        if _update_one(connection, source) and source.stored_outcome != source.outcome.kind:
            moved[source.stored_outcome] -= 1
            moved[source.outcome.kind] += 1
    if any(moved.values()):
        connection.execute(
            """
            INSERT INTO ledger_corrections (reason, stored, duplicate, noise, ping, parked, forgotten)
            VALUES (%(reason)s, %(stored)s, %(duplicate)s, %(noise)s, %(ping)s, %(parked)s, %(forgotten)s)
            """,
            {"reason": reason, **{column: moved[column] for column in batch_counts.OUTCOME_COLUMNS}},
        )


def _update_one(connection: Connection, source: SourceEvent) -> bool:
    """Update one event. Return False if it was erased after it was read."""
    updated = connection.execute(
        "UPDATE event_digests SET outcome = %s WHERE digest = %s AND outcome <> 'forgotten'",
        [source.outcome.kind, source.digest],
    )
    if not updated.rowcount:
        return False
    set_aside_events.remove(connection, [source.digest], except_kind=source.outcome.kind)
    if (reasons := source.current_reason) is not None:
        event = SetAsideEvent(
            source.digest, source.event_id, *reasons, received_at=source.first_received_at, sender=source.sender
        )
        set_aside_events.record(connection, "noise" if source.outcome.kind == "noise" else "parked", [event])
    elif source.outcome.kind == "forgotten" or source.is_partly_forgotten:
        _delete_body(connection, source)
    return True


def _delete_body(connection: Connection, source: SourceEvent) -> None:
    connection.execute("DELETE FROM event_keys WHERE event_id = %s", [source.event_id])
    connection.execute("DELETE FROM raw_events WHERE event_id = %s", [source.event_id])

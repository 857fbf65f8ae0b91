"""Messages that lose a source: marked, so that no replay takes what is left for all there was."""

from collections.abc import Iterable
from typing import cast

from store.postgres.connections import Connection


def mark_pruned(
    connection: Connection, event_keys: Iterable[tuple[int, int | None]], *, only_unpruned: bool = False
) -> list[int]:
    """Lock and mark the keys of these events, in the order in which everybody locks them; returns the keys.

    Of each event its number and the key that is noted beside its body; further ones are looked up.
    """
    events = list(event_keys)
    locked = connection.execute(
        """
        SELECT k.key_id
        FROM message_keys AS k
        WHERE k.key_id IN (
            SELECT unnest(%(keys)s::bigint[])
            UNION
            SELECT more.key_id FROM event_keys AS more WHERE more.event_id = ANY(%(events)s)
        ) AND NOT (%(only_unmarked)s AND k.has_pruned_sources)
        ORDER BY k.session_number, k.message_id
        FOR UPDATE
        """,
        {
            "keys": [key_id for _, key_id in events if key_id is not None],
            "events": [event_id for event_id, _ in events],
            "only_unmarked": only_unpruned,
        },
    ).fetchall()
    key_ids = [cast("int", key_id) for (key_id,) in locked]
    connection.execute(
        "UPDATE message_keys SET has_pruned_sources = true WHERE key_id = ANY(%s) AND NOT has_pruned_sources", [key_ids]
    )
    return key_ids

"""Reads the contents of a database, without what may differ between two deliveries of one history."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, LiteralString, TypeAlias

from store.postgres.connections import Connection

Snapshot: TypeAlias = Mapping[str, Counter[tuple[object, ...]]]
"""By name, the rows, each with the number of its occurrences."""

_QUERIES: Final[Mapping[str, LiteralString]] = {
    # Our number is not compared, because it depends on what the session had reported when the row was created.
    "messages": """
        SELECT m.session_id, m.direction, c.address AS peer, m.message_id, shown.address AS shown_in, m.message_type,
            m.raw_type, m.message_text, m.caption, m.media_url, m.mime_type, m.file_name, m.content_state, m.status,
            m.timestamp, m.time_source, m.deleted_at, m.edited_at, m.original_text, m.reply_to, m.sender,
            m.sender_name, m.unread, m.is_duplicate,
            CASE m.direction WHEN 'incoming' THEN m.from_number ELSE m.to_number END AS their_number
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        JOIN chats AS shown ON shown.chat_id = c.canonical_chat_id
    """,
    # Acks, edits with their versions, deletes and reactions, with or without their message.
    "marks": """
        SELECT s.session_id, k.message_id, m.kind, c.address, m.direction, m.sender, m.occurred_at, m.status, m.text,
            encode(m.digest, 'hex')
        FROM message_updates AS m
        JOIN message_keys AS k USING (key_id)
        JOIN sessions AS s USING (session_number)
        LEFT JOIN chats AS c USING (chat_id)
    """,
    "evidence": "SELECT session_id, lid, phone, observed_at, encode(digest, 'hex') FROM lid_aliases",
    "chats": """
        SELECT c.session_id, c.address, c.kind, canonical.address AS shown_in, c.name, c.last_timestamp,
            c.waiting_since,
            c.unread, c.marked_unread, c.own_name, c.own_name_quality, c.own_name_at
        FROM chats AS c
        LEFT JOIN chats AS canonical ON canonical.chat_id = c.merged_into
    """,
    "sessions": "SELECT session_id, state, state_at, phone, phone_at FROM sessions",
    "kinds of events": """
        SELECT s.session_id, e.event, e.last_at FROM session_events AS e JOIN sessions AS s USING (session_number)
    """,
    "digests": "SELECT encode(digest, 'hex'), received_at, outcome FROM event_digests",
    "bodies": """
        SELECT encode(e.digest, 'hex'), e.body, k.message_id
        FROM raw_events AS e
        LEFT JOIN LATERAL (
            SELECT e.key_id UNION SELECT more.key_id FROM event_keys AS more WHERE more.event_id = e.event_id
        ) AS named (key_id) ON true
        LEFT JOIN message_keys AS k ON k.key_id = named.key_id
    """,
    "parked": "SELECT encode(digest, 'hex'), reason, session_id, event FROM parked_events",
    "noise": "SELECT encode(digest, 'hex'), reason, session_id, event FROM noise_events",
    # The number of copies differs between deliveries, so duplicates differ, but not the events that are counted once.
    "ledger": """
        SELECT sum(stored), sum(noise), sum(ping), sum(parked), sum(forgotten),
            sum(size) = (SELECT sum(upto) FROM (SELECT max(upto) AS upto FROM batches GROUP BY writer) AS w)
        FROM batches
    """,
}


def read(connection: Connection) -> Snapshot:
    """Return everything that must be equal for every delivery."""
    with connection.pipeline():
        asked = {name: connection.execute(query) for name, query in _QUERIES.items()}
    return {name: Counter(answer.fetchall()) for name, answer in asked.items()}


def differences(first: Snapshot, second: Snapshot) -> list[str]:
    """Return the rows that only one of the snapshots contains, one per line."""
    return [
        f"{name}: only {whose}: {row}"
        for name in first
        for whose, rows in (("first", first[name] - second[name]), ("second", second[name] - first[name]))
        for row in sorted(rows.elements(), key=repr)
    ]

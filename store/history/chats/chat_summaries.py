"""Maintains the summary of each chat: name, last message, unread count and waiting time.

If messages are only added, the new summary follows from the old one (summary_increments.py). Otherwise it is computed
from the messages.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from store.history.chats import chats, summary_increments
from store.history.chats.chats import Chat, ObservedName
from store.history.chats.summary_increments import SummaryIncrement
from store.model import addresses
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(slots=True)
class SummaryChanges:
    """The canonical chats whose summaries change, and how they change."""

    _unread_deltas: Counter[int] = field(default_factory=Counter[int])
    """The change of the unread count of each chat. It contains every chat that changes."""
    _increments: dict[int, SummaryIncrement] = field(default_factory=dict[int, SummaryIncrement])
    _to_refresh: set[int] = field(default_factory=set[int])
    _to_recount: set[int] = field(default_factory=set[int])

    def mark_stale(self, canonical_chat_id: int, *, recount: bool = False) -> None:
        """Compute this summary from the messages. With `recount`, also count the unread messages."""
        self._unread_deltas[canonical_chat_id] += 0
        self._to_refresh.add(canonical_chat_id)
        if recount:
            self._to_recount.add(canonical_chat_id)

    def add_incoming(self, canonical_chat_id: int, chat_id: int, message: tuple[int, int, int]) -> None:
        """Add an incoming message, given as (timestamp, receive_order, id)."""
        self._unread_deltas[canonical_chat_id] += 1
        if chat_id == canonical_chat_id:
            self._increment(canonical_chat_id).incoming_messages.append(message)
        else:
            self._to_refresh.add(canonical_chat_id)

    def apply(self, connection: Connection, names: Collection[tuple[Chat, ObservedName]]) -> None:
        """Set the names, at most one per address, and update the summaries of these chats, which must be locked."""
        for chat, name in names:
            self._unread_deltas[chat.canonical_chat_id] += 0
            if chat.chat_id == chat.canonical_chat_id:
                self._increment(chat.canonical_chat_id).observed_name = name
            else:
                self._to_refresh.add(chat.canonical_chat_id)
        increments = [
            increment
            for chat_id, increment in self._increments.items()
            if increment.has_unique_latest and chat_id not in self._to_refresh
        ]
        done = {increment.chat_id for increment in increments} - summary_increments.apply(connection, increments)
        chats.set_names(connection, [name for chat, name in names if chat.canonical_chat_id not in done])
        if others := {chat_id: unread for chat_id, unread in self._unread_deltas.items() if chat_id not in done}:
            _refresh(connection, others, self._to_recount)

    def _increment(self, canonical_chat_id: int) -> SummaryIncrement:
        increment = self._increments.get(canonical_chat_id)
        if increment is None:
            increment = self._increments[canonical_chat_id] = SummaryIncrement(canonical_chat_id)
        return increment


def recount(connection: Connection, canonical_chat_ids: Collection[int]) -> None:
    """Recompute the whole summaries of these locked chats, including the unread counts."""
    if canonical_chat_ids:
        _refresh(connection, dict.fromkeys(canonical_chat_ids, 0), canonical_chat_ids)


def _refresh(connection: Connection, unread_deltas: Mapping[int, int], to_recount: Collection[int]) -> None:
    """Compute the summaries of these locked chats from their messages.

    The unread count of a chat changes by its delta, or is counted again if the chat is in `to_recount`. Rows that are
    merged into another chat have an empty summary.
    """
    connection.execute(
        f"""
        WITH canonical_chats AS (
            SELECT c.chat_id, c.kind, c.merged_into, r.unread AS grown
            FROM json_to_recordset(%(rows)s::json) AS r (chat_id bigint, unread bigint)
            JOIN chats AS c USING (chat_id)
        ),
        shown AS (
            SELECT h.chat_id, newest.timestamp, newest.receive_order, newest.id, waits.timestamp AS waiting_since,
                named.own_name AS name,
                CASE
                    WHEN h.merged_into IS NOT NULL THEN 0
                    WHEN h.chat_id = ANY(%(recount)s) THEN (
                        SELECT count(*)
                        FROM chat_ids_of(h.chat_id) AS c
                        JOIN whatsapp_messages AS m USING (chat_id)
                        WHERE m.unread AND NOT m.is_duplicate
                    )
                    ELSE (SELECT c.unread FROM chats AS c WHERE c.chat_id = h.chat_id) + h.grown
                END AS unread
            FROM canonical_chats AS h
            LEFT JOIN LATERAL (
                SELECT m.timestamp, m.receive_order, m.message_id, m.id
                FROM chat_ids_of(h.chat_id) AS c
                CROSS JOIN LATERAL (
                    SELECT m.timestamp, m.receive_order, m.message_id, m.id
                    FROM whatsapp_messages AS m
                    WHERE m.chat_id = c.chat_id AND NOT m.is_duplicate
                    ORDER BY m.timestamp DESC, m.receive_order DESC, m.message_id DESC
                    LIMIT 1
                ) AS m
                ORDER BY m.timestamp DESC, m.receive_order DESC, m.message_id DESC
                LIMIT 1
            ) AS newest ON h.merged_into IS NULL
            LEFT JOIN LATERAL (
                SELECT max(m.timestamp) AS timestamp
                FROM chat_ids_of(h.chat_id) AS c
                CROSS JOIN LATERAL (
                    SELECT m.timestamp
                    FROM whatsapp_messages AS m
                    WHERE m.chat_id = c.chat_id AND m.direction = 'outgoing' AND m.status IS DISTINCT FROM 'failed'
                    ORDER BY m.timestamp DESC, m.receive_order DESC, m.message_id DESC
                    LIMIT 1
                ) AS m
            ) AS answer ON h.merged_into IS NULL
            -- The first incoming message after the last answer. A message in the same second counts as answered:
            -- SAK reports seconds only, and a bot answers within one.
            LEFT JOIN LATERAL (
                SELECT min(m.timestamp) AS timestamp
                FROM chat_ids_of(h.chat_id) AS c
                CROSS JOIN LATERAL (
                    SELECT m.timestamp
                    FROM whatsapp_messages AS m
                    WHERE m.chat_id = c.chat_id AND m.direction = 'incoming' AND NOT m.is_duplicate
                        -- Notices of a group need no answer.
                        AND NOT (h.kind = 'group' AND m.message_type = 'system')
                        AND m.timestamp > coalesce(answer.timestamp, -1)
                    ORDER BY m.timestamp, m.receive_order, m.message_id
                    LIMIT 1
                ) AS m
            ) AS waits ON h.merged_into IS NULL AND h.kind IN {addresses.ANSWERED_KINDS}
            LEFT JOIN LATERAL (
                SELECT c.own_name
                FROM chat_ids_of(h.chat_id) AS a
                JOIN chats AS c USING (chat_id)
                WHERE c.own_name IS NOT NULL
                ORDER BY c.own_name_quality DESC, c.own_name_at DESC, c.own_name_digest DESC
                LIMIT 1
            ) AS named ON h.merged_into IS NULL
        )
        UPDATE chats AS c
        SET name = s.name, last_timestamp = s.timestamp, last_receive_order = s.receive_order, last_id = s.id,
            unread = s.unread, waiting_since = s.waiting_since, rev = c.rev + 1
        FROM shown AS s
        WHERE c.chat_id = s.chat_id
            AND (c.name, c.last_timestamp, c.last_receive_order, c.last_id, c.unread, c.waiting_since)
                IS DISTINCT FROM (s.name, s.timestamp, s.receive_order, s.id, s.unread, s.waiting_since)
        """,
        {
            "rows": json_rows.encode({"chat_id": chat_id, "unread": grown} for chat_id, grown in unread_deltas.items()),
            "recount": list(to_recount),
        },
    )

"""Maintains the summary of each chat in the chat list: name, last message, unread count, and waiting time.

Usually messages are only added, and the new summary follows from the old one (`apply_increments`); otherwise it is
computed from the messages.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from store.history import chats
from store.history.chats import Chat, ObservedName
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(slots=True)
class SummaryIncrement:
    """Additions to a chat that has one address: incoming messages, and a name."""

    chat_id: int
    incoming_messages: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """(timestamp, receive_order, id) of each."""
    observed_name: ObservedName | None = None

    def to_json_row(self) -> json_rows.JsonRow:
        named: dict[str, object] = {}
        if self.observed_name is not None:
            name = self.observed_name.display_name
            named = {
                "name": name.name,
                "quality": name.quality,
                "at": self.observed_name.observed_at,
                "digest": self.observed_name.digest,
            }
        if not self.incoming_messages:
            return {"chat_id": self.chat_id, "unread": 0, **named}
        timestamp, receive_order, row_id = max(self.incoming_messages)
        return {
            "chat_id": self.chat_id,
            "unread": len(self.incoming_messages),
            "first": min(self.incoming_messages)[0],
            "timestamp": timestamp,
            "receive_order": receive_order,
            "id": row_id,
            **named,
        }

    @property
    def has_unique_latest(self) -> bool:
        """True if the order of the messages is clear: no two have the same time and receive_order."""
        return len({message[:2] for message in self.incoming_messages}) == len(self.incoming_messages)


@dataclass(slots=True)
class SummaryChanges:
    """Canonical chats whose summaries change, and how."""

    _unread_deltas: Counter[int] = field(default_factory=Counter[int])
    """The growth of the unread count of each chat; contains every chat that changes."""
    _increments: dict[int, SummaryIncrement] = field(default_factory=dict[int, SummaryIncrement])
    _to_refresh: set[int] = field(default_factory=set[int])
    _to_recount: set[int] = field(default_factory=set[int])

    def mark_stale(self, canonical_chat_id: int, *, recount: bool = False) -> None:
        """Compute this summary from the messages; `recount` also the unread ones, instead of adding the growth."""
        self._unread_deltas[canonical_chat_id] += 0
        self._to_refresh.add(canonical_chat_id)
        if recount:
            self._to_recount.add(canonical_chat_id)

    def add_incoming(self, canonical_chat_id: int, chat_id: int, message: tuple[int, int, int]) -> None:
        """Add an incoming message, as (timestamp, receive_order, id)."""
        self._unread_deltas[canonical_chat_id] += 1
        if chat_id == canonical_chat_id:
            self._increment(canonical_chat_id).incoming_messages.append(message)
        else:
            self._to_refresh.add(canonical_chat_id)

    def apply(self, connection: Connection, names: Collection[tuple[Chat, ObservedName]]) -> None:
        """Set the names, at most one per address, and update the summaries of all these locked chats."""
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
        done = {increment.chat_id for increment in increments} - apply_increments(connection, increments)
        chats.set_names(connection, [name for chat, name in names if chat.canonical_chat_id not in done])
        if others := {chat_id: unread for chat_id, unread in self._unread_deltas.items() if chat_id not in done}:
            _refresh(connection, others, self._to_recount)

    def _increment(self, canonical_chat_id: int) -> SummaryIncrement:
        return self._increments.setdefault(canonical_chat_id, SummaryIncrement(canonical_chat_id))


def apply_increments(connection: Connection, increments: Sequence[SummaryIncrement]) -> set[int]:
    """Add these to the summaries of locked chats; returns the chats whose summaries must be computed instead.

    These are chats with several addresses, and chats without waiting time in which a message is older than the last
    one: the waiting time depends on the position of the last answer.
    """
    if not increments:
        return set()
    remaining = connection.execute(
        """
        WITH increments AS MATERIALIZED (
            SELECT r.chat_id, r.unread, r.first, r.timestamp, r.receive_order, r.id, r.name, r.quality, r.at,
                decode(r.digest, 'hex') AS digest
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                chat_id bigint, unread bigint, first bigint, timestamp bigint, receive_order bigint, id bigint,
                name text, quality smallint, at bigint, digest text
            )
        ),
        applicable AS MATERIALIZED (
            SELECT c.chat_id, t.unread, t.first, t.timestamp, t.receive_order, t.id, t.name, t.quality, t.at, t.digest,
                t.name IS NOT NULL AND (
                    c.own_name IS NULL
                    OR (c.own_name_quality, c.own_name_at, c.own_name_digest) < (t.quality, t.at, t.digest)
                ) AS named,
                t.timestamp IS NOT NULL AND (
                    c.last_timestamp IS NULL OR (c.last_timestamp, c.last_receive_order) < (t.timestamp,
                        t.receive_order)
                ) AS newest
            FROM increments AS t
            JOIN chats AS c USING (chat_id)
            WHERE c.merged_into IS NULL
                AND NOT EXISTS (SELECT FROM chats AS lid WHERE lid.merged_into = c.chat_id)
                AND (
                    t.timestamp IS NULL
                    OR c.last_timestamp IS NULL
                    OR t.first > c.last_timestamp
                    OR t.first >= c.waiting_since
                        AND (t.timestamp, t.receive_order) <> (c.last_timestamp, c.last_receive_order)
                )
        ),
        updated AS (
            UPDATE chats AS c
            SET own_name = CASE WHEN x.named THEN x.name ELSE c.own_name END,
                own_name_quality = CASE WHEN x.named THEN x.quality ELSE c.own_name_quality END,
                own_name_at = CASE WHEN x.named THEN x.at ELSE c.own_name_at END,
                own_name_digest = CASE WHEN x.named THEN x.digest ELSE c.own_name_digest END,
                name = CASE WHEN x.named THEN x.name ELSE c.own_name END,
                last_timestamp = CASE WHEN x.newest THEN x.timestamp ELSE c.last_timestamp END,
                last_receive_order = CASE WHEN x.newest THEN x.receive_order ELSE c.last_receive_order END,
                last_id = CASE WHEN x.newest THEN x.id ELSE c.last_id END,
                unread = c.unread + x.unread,
                waiting_since = coalesce(c.waiting_since, x.first),
                rev = c.rev + (x.unread > 0 OR x.name IS DISTINCT FROM c.name)::integer
            FROM applicable AS x
            WHERE c.chat_id = x.chat_id AND (x.unread > 0 OR x.named)
        )
        SELECT t.chat_id FROM increments AS t WHERE NOT EXISTS (SELECT FROM applicable AS x WHERE x.chat_id = t.chat_id)
        """,
        {"rows": json_rows.encode(increment.to_json_row() for increment in increments)},
    )
    return {int(str(chat_id)) for (chat_id,) in remaining}


def recount(connection: Connection, canonical_chat_ids: Collection[int]) -> None:
    """Recompute everything that the chat list shows of these locked chats, the unread count included."""
    if canonical_chat_ids:
        _refresh(connection, dict.fromkeys(canonical_chat_ids, 0), canonical_chat_ids)


def _refresh(connection: Connection, unread_deltas: Mapping[int, int], to_recount: Collection[int]) -> None:
    """Compute the summaries of these locked chats from their messages.

    The unread count of a chat grows by its delta, or is counted if it is in `to_recount`. Rows that are merged into
    another chat have an empty summary.
    """
    connection.execute(
        """
        WITH canonical_chats AS (
            SELECT c.chat_id, c.merged_into, r.unread AS grown
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (chat_id bigint, unread bigint)
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
                        AND m.timestamp > coalesce(answer.timestamp, -1)
                    ORDER BY m.timestamp, m.receive_order, m.message_id
                    LIMIT 1
                ) AS m
            ) AS waits ON h.merged_into IS NULL
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

"""What a list of chats shows of each head: its name, its last message, what is unread, and since when somebody waits.

Mostly messages only come, and then what is shown follows from what was shown (`grow`); else it is looked up anew
(`refresh`).
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
    """What was added to a head and to nothing else of its chat: incoming messages, and a name."""

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
        """Whether the messages themselves tell which of them is the last: not if two arrived as one."""
        return len({place[:2] for place in self.incoming_messages}) == len(self.incoming_messages)


@dataclass(slots=True)
class SummaryChanges:
    """Heads to show anew, and what happened to each."""

    _unread_deltas: Counter[int] = field(default_factory=Counter[int])
    """By how much each head's unread grew; every head is in it."""
    _increments: dict[int, SummaryIncrement] = field(default_factory=dict[int, SummaryIncrement])
    _to_refresh: set[int] = field(default_factory=set[int])
    _to_recount: set[int] = field(default_factory=set[int])

    def mark_stale(self, canonical_chat_id: int, *, recount: bool = False) -> None:
        """Something happened that is to be looked up; `recount` if its unread cannot be told from what grew."""
        self._unread_deltas[canonical_chat_id] += 0
        self._to_refresh.add(canonical_chat_id)
        if recount:
            self._to_recount.add(canonical_chat_id)

    def add_incoming(self, canonical_chat_id: int, chat_id: int, message: tuple[int, int, int]) -> None:
        """An incoming message came (timestamp, receive_order, id), under the head's own or under another address."""
        self._unread_deltas[canonical_chat_id] += 1
        if chat_id == canonical_chat_id:
            self._increment(canonical_chat_id).incoming_messages.append(message)
        else:
            self._to_refresh.add(canonical_chat_id)

    def apply(self, connection: Connection, names: Collection[tuple[Chat, ObservedName]]) -> None:
        """Take in the names, at most one per address, and bring all of these locked heads up to date."""
        for chat, called in names:
            self._unread_deltas[chat.canonical_chat_id] += 0
            if chat.chat_id == chat.canonical_chat_id:
                self._increment(chat.canonical_chat_id).observed_name = called
            else:
                self._to_refresh.add(chat.canonical_chat_id)
        plain = [
            one for head, one in self._increments.items() if one.has_unique_latest and head not in self._to_refresh
        ]
        shown = {growth.chat_id for growth in plain} - apply_increments(connection, plain)
        chats.set_names(connection, [called for chat, called in names if chat.canonical_chat_id not in shown])
        if rest := {head: unread for head, unread in self._unread_deltas.items() if head not in shown}:
            _refresh(connection, rest, self._to_recount)

    def _increment(self, canonical_chat_id: int) -> SummaryIncrement:
        return self._increments.setdefault(canonical_chat_id, SummaryIncrement(canonical_chat_id))


def apply_increments(connection: Connection, increments: Sequence[SummaryIncrement]) -> set[int]:
    """Add to these locked heads what came; returns those where that does not tell what is shown.

    It does not where other addresses belong to the chat, and where a message came before one that is there already in
    a chat in which nobody waits: since when somebody waits depends on where the last answer is.
    """
    if not increments:
        return set()
    left = connection.execute(
        """
        WITH told AS MATERIALIZED (
            SELECT r.chat_id, r.unread, r.first, r.timestamp, r.receive_order, r.id, r.name, r.quality, r.at,
                decode(r.digest, 'hex') AS digest
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                chat_id bigint, unread bigint, first bigint, timestamp bigint, receive_order bigint, id bigint,
                name text, quality smallint, at bigint, digest text
            )
        ),
        clear AS MATERIALIZED (
            SELECT c.chat_id, t.unread, t.first, t.timestamp, t.receive_order, t.id, t.name, t.quality, t.at, t.digest,
                t.name IS NOT NULL AND (
                    c.own_name IS NULL
                    OR (c.own_name_quality, c.own_name_at, c.own_name_digest) < (t.quality, t.at, t.digest)
                ) AS named,
                t.timestamp IS NOT NULL AND (
                    c.last_timestamp IS NULL OR (c.last_timestamp, c.last_receive_order) < (t.timestamp,
                        t.receive_order)
                ) AS newest
            FROM told AS t
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
        grown AS (
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
            FROM clear AS x
            WHERE c.chat_id = x.chat_id AND (x.unread > 0 OR x.named)
        )
        SELECT t.chat_id FROM told AS t WHERE NOT EXISTS (SELECT FROM clear AS x WHERE x.chat_id = t.chat_id)
        """,
        {"rows": json_rows.encode(growth.to_json_row() for growth in increments)},
    )
    return {int(str(chat_id)) for (chat_id,) in left}


def recount(connection: Connection, canonical_chat_ids: Collection[int]) -> None:
    """Recompute everything that the chat list shows of these locked chats, the unread count included."""
    if canonical_chat_ids:
        _refresh(connection, dict.fromkeys(canonical_chat_ids, 0), canonical_chat_ids)


def _refresh(connection: Connection, unread_deltas: Mapping[int, int], to_recount: Collection[int]) -> None:
    """Bring these locked heads up to date, whatever happened to them.

    `heads` says by how much each head's unread grew; those in `recount` are counted anew. Rows that are no head
    (any more) show nothing of their own.
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
            -- The first incoming message after the last answer. What came in the answer's own second counts as
            -- answered: seconds are all that SAK tells, and a bot answers within them.
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

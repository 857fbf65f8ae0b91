"""Adds messages and names to chat summaries without reading the messages of the chats."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from store.history.chats.chats import ObservedName
from store.model import addresses
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(slots=True)
class SummaryIncrement:
    """Incoming messages and a name to add to the summary of a chat that has one address."""

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
        """True if the latest message is certain: no two have the same time and receive_order."""
        return len({message[:2] for message in self.incoming_messages}) == len(self.incoming_messages)


def apply(connection: Connection, increments: Sequence[SummaryIncrement]) -> set[int]:
    """Add these to the summaries of locked chats. Return the chats whose summaries must be computed instead.

    These are chats with several addresses, and chats without waiting time in which an added message is older than the
    last one: their waiting time depends on the position of the last answer.
    """
    if not increments:
        return set()
    remaining = connection.execute(
        f"""
        WITH increments AS MATERIALIZED (
            SELECT r.chat_id, r.unread, r.first, r.timestamp, r.receive_order, r.id, r.name, r.quality, r.at, d.digest,
                r.name IS NOT NULL AND (
                    c.own_name IS NULL
                    OR (c.own_name_quality, c.own_name_at, c.own_name_digest) < (r.quality, r.at, d.digest)
                ) AS named,
                r.timestamp IS NOT NULL AND (
                    c.last_timestamp IS NULL OR (c.last_timestamp, c.last_receive_order) < (r.timestamp,
                        r.receive_order)
                ) AS newest,
                coalesce(
                    c.merged_into IS NULL
                    AND NOT EXISTS (SELECT FROM chats AS lid WHERE lid.merged_into = c.chat_id)
                    AND (
                        r.timestamp IS NULL
                        OR c.last_timestamp IS NULL
                        OR r.first > c.last_timestamp
                        OR r.first >= c.waiting_since
                            AND (r.timestamp, r.receive_order) <> (c.last_timestamp, c.last_receive_order)
                    ),
                    false
                ) AS applicable
            FROM json_to_recordset(%(rows)s::json) AS r (
                chat_id bigint, unread bigint, first bigint, timestamp bigint, receive_order bigint, id bigint,
                name text, quality smallint, at bigint, digest text
            )
            CROSS JOIN LATERAL (SELECT decode(r.digest, 'hex') AS digest) AS d
            JOIN chats AS c USING (chat_id)
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
                waiting_since = CASE
                    WHEN c.kind IN {addresses.ANSWERED_KINDS} THEN coalesce(c.waiting_since, x.first)
                END,
                rev = c.rev + (x.unread > 0 OR x.name IS DISTINCT FROM c.name)::integer
            FROM increments AS x
            WHERE c.chat_id = x.chat_id AND x.applicable AND (x.unread > 0 OR x.named)
        )
        SELECT x.chat_id FROM increments AS x WHERE NOT x.applicable
        """,
        {"rows": json_rows.encode(increment.to_json_row() for increment in increments)},
    )
    return {cast("int", chat_id) for (chat_id,) in remaining}

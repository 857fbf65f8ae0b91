"""Builds the SQL of a page of messages of a chat."""

from typing import LiteralString

from store.reading.fragments.chat_scope import MEMBERS_CTE
from store.reading.fragments.message_json import MESSAGE_BYTES, SEND_JSON, message_json


def build(operator: LiteralString, order_by: LiteralString) -> LiteralString:
    """Return the query of a page in this order. `operator` compares the positions of messages with a given position.

    The columns are the position of a message and its JSON, the number of messages found, the epoch, the snapshot, and
    the address of the canonical chat. Rows beyond `max_bytes` are left out but counted. An empty page is one row, in
    which all columns but the last three are null.
    """
    return f"""
        WITH {MEMBERS_CTE},
        page AS MATERIALIZED (
            SELECT found.*, count(*) OVER () AS candidates,
                sum(found.bytes) OVER (ORDER BY {order_by} ROWS UNBOUNDED PRECEDING) - found.bytes AS bytes_before
            FROM (
                SELECT entry.*, NULL::uuid AS send_id, members.canonical_chat_id, members.address
                FROM members
                CROSS JOIN LATERAL (
                    SELECT m.timestamp, m.receive_order, m.message_id, m.id, m.key_id, m.ctid AS row_position,
                        {MESSAGE_BYTES} AS bytes
                    FROM whatsapp_messages AS m
                    WHERE m.chat_id = members.chat_id AND NOT m.is_duplicate
                        AND (m.timestamp, m.receive_order, m.message_id, m.id)
                            {operator} (%(timestamp)s, %(receive_order)s, %(message_id)s, %(id)s)
                        AND m.timestamp >= %(since)s AND m.timestamp < %(until)s
                        AND (%(direction)s::text IS NULL OR m.direction = %(direction)s)
                        AND (%(type)s::text IS NULL OR m.message_type = %(type)s)
                        AND (NOT %(starred)s OR m.starred)
                        AND (%(has)s::text IS NULL OR m.deleted_at IS NULL AND CASE %(has)s
                            WHEN 'file' THEN m.message_type IN ('image', 'video', 'audio', 'document')
                            ELSE concat_ws(' ', m.message_text, m.caption) ~* '(https?://|www[.])[^[:space:]]'
                        END)
                    ORDER BY {order_by}
                    LIMIT %(limit)s
                ) AS entry
                -- A send without a message takes the position that its message would have. There are few, usually none.
                UNION ALL
                SELECT entry.*, members.canonical_chat_id, members.address
                FROM members
                CROSS JOIN LATERAL (
                    SELECT s.timestamp, s.receive_order, s.sort_key AS message_id, 0::bigint AS id,
                        NULL::bigint AS key_id, NULL::tid AS row_position, coalesce(octet_length(s.text), 0) AS bytes,
                        s.send_id
                    FROM sends AS s
                    WHERE s.chat_id = members.chat_id AND s.key_id IS NULL
                        AND (s.timestamp, s.receive_order, s.sort_key, 0::bigint)
                            {operator} (%(timestamp)s, %(receive_order)s, %(message_id)s, %(id)s)
                        AND s.timestamp >= %(since)s AND s.timestamp < %(until)s
                        AND (%(direction)s::text IS NULL OR %(direction)s = 'outgoing')
                        AND (%(type)s::text IS NULL OR s.kind = %(type)s)
                        AND NOT %(starred)s AND %(has)s::text IS NULL
                    ORDER BY {order_by}
                    LIMIT %(limit)s
                ) AS entry
                ORDER BY {order_by}
                LIMIT %(limit)s
            ) AS found
        ),
        -- Looked up together, because few messages have reactions.
        reacted AS MATERIALIZED (
            SELECT u.key_id
            FROM message_updates AS u
            WHERE u.key_id = ANY(ARRAY(SELECT page.key_id FROM page)) AND u.kind = 'reaction'
        )
        SELECT page.timestamp, page.receive_order, page.message_id, page.id, coalesce(message.json, send.json) AS json,
            page.candidates, context.epoch, context.snapshot, context.address
        FROM (
            SELECT e.epoch::text, pg_current_snapshot()::text AS snapshot, (
                    SELECT members.address FROM members ORDER BY members.kind <> 'phone', members.address LIMIT 1
                ) AS address
            FROM feed_epoch AS e
        ) AS context
        LEFT JOIN page ON page.bytes_before < %(max_bytes)s
        LEFT JOIN LATERAL (
            SELECT {message_json("m.key_id IN (SELECT r.key_id FROM reacted AS r)")} AS json
            FROM (SELECT page.canonical_chat_id AS chat_id, page.address) AS canonical
            -- Selects all columns because message_json decides which are used. The row was just read at this position.
            CROSS JOIN LATERAL (SELECT x.* FROM whatsapp_messages AS x WHERE x.ctid = page.row_position LIMIT 1) AS m
        ) AS message ON true
        LEFT JOIN LATERAL (
            SELECT {SEND_JSON} AS json FROM sends AS s WHERE s.send_id = page.send_id LIMIT 1
        ) AS send ON true
        ORDER BY {order_by}
    """

"""Defines the query for recorded sends.

A send that the gateway accepted and later reported as failed counts as failed.
"""

from typing import Final, LiteralString

SELECT: Final[LiteralString] = """
SELECT s.send_id, s.session_id, s.address, s.kind, s.text, s.file_name, s.mime_type,
    CASE WHEN failure.reason IS NULL THEN s.state ELSE 'failed' END AS state,
    CASE WHEN failure.reason IS NULL THEN s.code ELSE 'not_delivered' END AS code,
    coalesce(failure.reason, s.reason) AS reason, s.message_id, s.gateway_id, s.timestamp,
    (extract(epoch FROM s.completed_at - s.created_at) * 1000)::bigint AS duration_ms, s.fingerprint, s.key_id
FROM sends AS s
-- A gateway may accept a message and later report that it failed.
LEFT JOIN LATERAL (
    SELECT coalesce(u.text, 'the gateway reported that it failed, and not why') AS reason
    FROM whatsapp_messages AS m
    LEFT JOIN message_updates AS u ON u.key_id = m.key_id AND u.kind = 'ack' AND u.status = 'failed'
    WHERE m.key_id = s.key_id AND m.direction = 'outgoing' AND m.status = 'failed'
    ORDER BY u.text IS NULL, u.occurred_at DESC, u.digest
    LIMIT 1
) AS failure ON true
"""
"""The fields of `sends.Send` in order, followed by the key. The caller adds the condition; `s` is the row of sends."""

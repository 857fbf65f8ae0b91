"""Defines the SQL fragments that find the texts of a message before its edits, and their size.

They require the alias `m`, a row of whatsapp_messages.
"""

from typing import LiteralString

from store.model import message_columns

_MAX_BYTES: LiteralString = "1048576"

VERSIONS: LiteralString = f"""(
    SELECT v.text, v.at, v.digest
    FROM (
        SELECT e.text, e.at, e.digest,
            sum(octet_length(e.text)) OVER (ORDER BY e.at DESC, e.digest DESC NULLS LAST) AS bytes
        FROM (
            SELECT m.original_text AS text, m.timestamp AS at, NULL::bytea AS digest
            UNION ALL
            SELECT u.text, u.occurred_at, u.digest
            FROM message_updates AS u
            LEFT JOIN chats AS c ON c.chat_id = u.chat_id
            WHERE u.key_id = m.key_id AND u.kind = 'edit'
                AND {message_columns.same_sender("m", "u")}
                AND coalesce(
                    c.canonical_chat_id = canonical.chat_id AND u.direction = m.direction,
                    NOT EXISTS (
                        SELECT
                        FROM whatsapp_messages AS o
                        JOIN chats AS oc USING (chat_id)
                        WHERE o.key_id = m.key_id
                            AND (oc.canonical_chat_id, o.direction) <> (canonical.chat_id, m.direction)
                    )
                )
        ) AS e
    ) AS v
    WHERE m.edited_at IS NOT NULL AND m.deleted_at IS NULL AND v.bytes <= {_MAX_BYTES}
)"""
"""The newest texts of an edited message, within 1 MiB. Also requires the alias `canonical`, the chat."""

VERSIONS_BYTES: LiteralString = f"""(
    CASE WHEN %(versions)s AND m.edited_at IS NOT NULL THEN least({_MAX_BYTES}, (
        SELECT coalesce(octet_length(m.original_text), 0) + coalesce(sum(octet_length(u.text)), 0)
        FROM message_updates AS u
        WHERE u.key_id = m.key_id AND u.kind = 'edit'
    ))::integer ELSE 0 END
)"""
"""An upper bound of the size of these texts in bytes if the parameter `versions` is set, or else 0."""

"""Fragments of SQL about the labels and notes of chats.

Labels and notes belong to the address that they were written under, and are shown with its canonical chat.
"""

from typing import LiteralString

LABELS: LiteralString = """
    CASE WHEN EXISTS (SELECT FROM chat_labels) THEN (
        SELECT coalesce(json_agg(DISTINCT l.label ORDER BY l.label), '[]')
        FROM chat_ids_of(c.chat_id) AS member
        JOIN chat_labels AS l ON l.chat_id = member.chat_id
    ) ELSE '[]' END
"""
"""The labels of a chat as JSON, sorted. Requires the alias `c`, a canonical chat."""
HAS_LABEL: LiteralString = """EXISTS (
    SELECT
    FROM chat_ids_of(c.chat_id) AS member
    JOIN chat_labels AS l ON l.chat_id = member.chat_id
    WHERE l.label = %(label)s
)"""
"""Whether the chat `c` has the label of the parameter `label`."""
LABELLED: LiteralString = """
    SELECT DISTINCT a.canonical_chat_id AS chat_id
    FROM chat_labels AS l
    JOIN chats AS a USING (chat_id)
    WHERE l.label = %(label)s
"""
"""The chats with this label."""
ANNOTATED: LiteralString = """
    SELECT a.canonical_chat_id
    FROM chat_notes AS n
    JOIN chats AS a USING (chat_id)
    WHERE n.text ILIKE %(containing)s OR n.text ILIKE ALL(%(words)s)
    UNION
    SELECT a.canonical_chat_id
    FROM chat_labels AS l
    JOIN chats AS a USING (chat_id)
    WHERE l.label ILIKE %(containing)s
"""
"""The chats whose notes or labels contain a text. It depends on no chat, so PostgreSQL runs it once in a query."""

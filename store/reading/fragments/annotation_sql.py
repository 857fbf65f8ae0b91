"""Defines SQL fragments for the labels and notes of chats.

Labels and notes are stored under the address where they were added, and are shown with its canonical chat.
"""

from typing import LiteralString

LABELS: LiteralString = """
    CASE WHEN EXISTS (SELECT FROM chat_labels) THEN (
        SELECT coalesce(json_agg(DISTINCT l.label ORDER BY l.label), '[]')
        FROM chat_ids_of(c.chat_id) AS member
        JOIN chat_labels AS l ON l.chat_id = member.chat_id
    ) ELSE '[]' END
"""
"""The labels of a chat as a sorted JSON array. Requires the alias `c`, a canonical chat."""
HAS_LABEL: LiteralString = """EXISTS (
    SELECT
    FROM chat_ids_of(c.chat_id) AS member
    JOIN chat_labels AS l ON l.chat_id = member.chat_id
    WHERE l.label = %(label)s
)"""
"""True if the chat `c` has the label given in the parameter `label`."""
LABELLED: LiteralString = """
    SELECT DISTINCT a.canonical_chat_id AS chat_id
    FROM chat_labels AS l
    JOIN chats AS a USING (chat_id)
    WHERE l.label = %(label)s
"""
"""The canonical chats that have the label given in the parameter `label`."""
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
"""The chats whose labels or notes contain the searched text. It refers to no outer row, so PostgreSQL runs it once per
query.
"""

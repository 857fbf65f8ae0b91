"""Builds the SQL that finds chats by a text in their name, number, labels, notes or last message."""

from collections.abc import Sequence
from typing import LiteralString

from store.model import spelling
from store.postgres import like
from store.reading.fragments.annotation_sql import ANNOTATED

_NAME_CONDITION: LiteralString = "(SELECT n.text LIKE ALL(%(words)s) FROM chat_names AS n WHERE n.chat_id = c.chat_id)"
_NAME_CONDITION_OF_ALL: LiteralString = (
    "c.chat_id IN (SELECT n.chat_id FROM chat_names AS n WHERE n.text LIKE ALL(%(words)s))"
)
"""The condition on the name for a scan of all chats: it scans the names once instead of once per chat."""


def candidates_query(text_condition: LiteralString) -> LiteralString:
    """Return a query for the chats that may match, found by indexes. The page query checks each of them."""
    return f"""
    SELECT n.chat_id
    FROM chat_names AS n
    WHERE n.name ILIKE %(containing)s
    UNION
    SELECT n.chat_id
    FROM chat_names AS n
    WHERE n.address LIKE %(digits)s
    UNION
    SELECT s.chat_id
    FROM chat_names AS s
    WHERE {text_condition} AND s.text LIKE ALL(%(words)s)
    UNION
    SELECT canonical.chat_id
    FROM search_index AS s
    JOIN chats AS c ON c.chat_id = s.chat_id
    JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id AND canonical.last_id = s.id
    WHERE {text_condition}
    UNION {ANNOTATED} UNION
    -- Chats with messages that are not indexed yet.
    SELECT e.chat_id
    FROM search_index_position AS p
    JOIN changes AS e ON (e.xid, e.change_id) > (p.xid, p.change_id)
    """


def search_clause(*, all_names: bool) -> LiteralString:
    """Return the condition that the chat `c` contains the text, with AND. `all_names` is for a scan of all chats."""
    name_condition = _NAME_CONDITION_OF_ALL if all_names else _NAME_CONDITION
    return f"""
        AND (c.name ILIKE %(containing)s OR c.address LIKE %(digits)s OR {name_condition} OR c.chat_id IN ({ANNOTATED})
            OR (m.deleted_at IS NULL AND coalesce(nullif(m.message_text, ''), m.caption) ILIKE %(beginning)s))
    """


def parameters(search_text: str, words: Sequence[str]) -> dict[str, object]:
    text = search_text.strip()
    normalized = spelling.normalize(text)
    digits = "".join(filter(str.isdecimal, normalized))
    number = digits if digits and not any(map(str.isalpha, normalized)) else text
    return {
        "containing": like.containing(text),
        "beginning": like.starting_with(text),
        "digits": like.containing(number),
        "words": [like.containing(word) for word in words or (text,)],
    }

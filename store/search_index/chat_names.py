"""Normalises the names of chats for searching chats."""

from collections.abc import Iterable
from typing import cast

from store.model import spelling
from store.postgres.connections import Connection
from store.search_index import search_document


def respell(connection: Connection, limit: int) -> int:
    """Normalise names that are new or whose normalised form is outdated, in the caller's transaction.

    Return their number.
    """
    # SKIP LOCKED, because writers lock names in their own order.
    cursor = connection.execute(
        """
        SELECT n.chat_id, n.name
        FROM chat_names AS n
        WHERE n.spelling < %s
        ORDER BY n.spelling DESC, n.chat_id DESC
        LIMIT %s
        FOR UPDATE SKIP LOCKED
        """,
        [spelling.VERSION, limit],
    )
    names = dict(cast("Iterable[tuple[int, str | None]]", cursor))
    if names:
        connection.execute(
            """
            UPDATE chat_names AS n
            SET text = d.text, spelling = %(spelling)s
            FROM unnest(%(chat_ids)s::bigint[], %(documents)s::text[]) AS d (chat_id, text)
            WHERE n.chat_id = d.chat_id
            """,
            {
                "chat_ids": list(names),
                "documents": [search_document.build_name(name or "") for name in names.values()],
                "spelling": spelling.VERSION,
            },
        )
    return len(names)

"""Builds the query for a page of messages from all chats, newest first, limited by size in bytes."""

from typing import LiteralString

from store.reading.json_views import MESSAGE_JSON


def build(found: LiteralString, more_columns: LiteralString) -> LiteralString:
    """Return the query of a page: time, id and JSON of each message, the name of its chat, and `more_columns`.

    `found` selects `timestamp`, `id`, `bytes` and `canonical_chat_id` of at most one page of messages. Rows beyond
    `max_bytes` are left out of the result but counted in `hit.candidates`.
    """
    return f"""
        SELECT hit.timestamp, hit.id, {MESSAGE_JSON}, canonical.name, {more_columns}
        FROM (
            SELECT found.*, count(*) OVER () AS candidates, sum(found.bytes)
                    OVER (ORDER BY found.timestamp DESC, found.id DESC ROWS UNBOUNDED PRECEDING) - found.bytes
                AS bytes_before
            FROM (
                {found}
            ) AS found
        ) AS hit
        -- Selects all columns because MESSAGE_JSON decides which are used.
        CROSS JOIN LATERAL (SELECT x.* FROM whatsapp_messages AS x WHERE x.id = hit.id LIMIT 1) AS m
        CROSS JOIN LATERAL (
            SELECT c.chat_id, c.address, c.name FROM chats AS c WHERE c.chat_id = hit.canonical_chat_id LIMIT 1
        ) AS canonical
        WHERE hit.bytes_before < %(max_bytes)s
        ORDER BY hit.timestamp DESC, hit.id DESC
    """  # noqa: S608 - assembled from literals only, which the type proves

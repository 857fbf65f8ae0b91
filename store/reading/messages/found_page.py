"""Reads pages of messages from all chats, newest first, limited by size in bytes.

One query finds the messages and another one reads them. Planning the JSON of messages takes as long as finding them,
and the plan of the second query can be kept, because it does not depend on the search.
"""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple, cast

from store.postgres.compiled_query import compile_query
from store.postgres.connections import Connection
from store.reading.fragments.message_json import MESSAGE_JSON


class FoundRow(NamedTuple):
    timestamp: int
    id: int
    canonical_chat_id: int
    candidates: int
    """The number of messages that were found, including those that were left out for their size."""


class FoundMessage(NamedTuple):
    json: str
    chat_name: str | None
    searched_text: str
    """The text, caption and file name."""


_READ_QUERY: LiteralString = f"""
    SELECT {MESSAGE_JSON}, canonical.name, concat_ws(' ', m.message_text, m.caption, m.file_name)
    FROM unnest(%(ids)s::bigint[], %(chat_ids)s::bigint[]) WITH ORDINALITY AS found (id, chat_id, number)
    -- Selects all columns because MESSAGE_JSON decides which are used.
    CROSS JOIN LATERAL (SELECT x.* FROM whatsapp_messages AS x WHERE x.id = found.id LIMIT 1) AS m
    CROSS JOIN LATERAL (
        SELECT c.chat_id, c.address, c.name FROM chats AS c WHERE c.chat_id = found.chat_id LIMIT 1
    ) AS canonical
    ORDER BY found.number
"""


def build(found: LiteralString) -> LiteralString:
    """Return the query of a page, whose columns are those of FoundRow.

    `found` selects `timestamp`, `id`, `bytes` and `canonical_chat_id` of at most one page of messages. Rows beyond
    `max_bytes` are left out of the result but counted in `candidates`.
    """
    return f"""
        SELECT hit.timestamp, hit.id, hit.canonical_chat_id, hit.candidates
        FROM (
            SELECT found.*, count(*) OVER () AS candidates, sum(found.bytes)
                    OVER (ORDER BY found.timestamp DESC, found.id DESC ROWS UNBOUNDED PRECEDING) - found.bytes
                AS bytes_before
            FROM (
                {found}
            ) AS found
        ) AS hit
        WHERE hit.bytes_before < %(max_bytes)s
        ORDER BY hit.timestamp DESC, hit.id DESC
    """


def read(connection: Connection, page: Sequence[FoundRow]) -> tuple[FoundMessage, ...]:
    """Return the messages of a page in their order, without those that were deleted since they were found."""
    if not page:
        return ()
    values = {
        "ids": [row.id for row in page],
        "chat_ids": [row.canonical_chat_id for row in page],
        "versions": False,
    }
    rows = cast("list[tuple[str, str | None, str]]", compile_query(_READ_QUERY).fetch_all(connection, values))
    return tuple(FoundMessage(*row) for row in rows)

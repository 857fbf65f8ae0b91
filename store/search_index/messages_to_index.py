"""Reads the messages to index: their texts, and the documents that they already have in the search index."""

import itertools
from collections.abc import Collection, Sequence
from typing import Final, LiteralString, NamedTuple, TypeAlias, cast

from store.model import message_columns, spelling
from store.model.message_columns import Column
from store.postgres.connections import Connection
from store.search_index import search_document

MESSAGE_COLUMNS = (
    Column("chat_id", "bigint"),
    Column("session_id", "text"),
    Column("direction", "text"),
    Column("message_type", "text"),
    Column("timestamp", "bigint"),
)
"""The columns of a document that repeat those of its message."""
MessageToIndex: TypeAlias = tuple[int, str, str | None, bool, int, str, str, str, int]
"""(row id, text, text of the existing document or None, True if the other columns of that document are current,
*MESSAGE_COLUMNS)
"""


def _columns(has_text: LiteralString) -> LiteralString:
    """Return the columns of a MessageToIndex, whose text is empty unless the condition is true."""
    return f"""
        m.id,
        CASE WHEN {has_text} THEN left(concat_ws(' ', m.message_text, m.caption, m.file_name), %(length)s) ELSE '' END,
        s.text,
        s.spelling = %(spelling)s AND ({message_columns.names(MESSAGE_COLUMNS, "s")})
            = ({message_columns.names(MESSAGE_COLUMNS, "m")}),
        {message_columns.names(MESSAGE_COLUMNS, "m")}
    """


_OF_ROWS: LiteralString = f"""
    SELECT {_columns("m.deleted_at IS NULL")}
    FROM unnest(%(ids)s::bigint[]) AS w (id)
    JOIN whatsapp_messages AS m USING (id)
    LEFT JOIN search_index AS s USING (id)
"""
_OF_CHANGES: LiteralString = f"""
    SELECT m.xid::text, m.change_id, m.fits, {_columns("m.fits AND m.deleted_at IS NULL")}
    FROM (
        SELECT m.*, m.total <= %(bytes)s OR m.total = m.size AS fits
        FROM (
            SELECT c.xid, c.change_id, m.*,
                sum(m.size) OVER (ORDER BY c.xid, c.change_id ROWS UNBOUNDED PRECEDING) AS total
            FROM search_index_position AS p
            CROSS JOIN LATERAL (
                SELECT c.xid, c.change_id,
                    CASE WHEN c.kind IN ('message', 'edit', 'delete') THEN c.message END AS message
                FROM changes AS c
                WHERE (c.xid, c.change_id) > (p.xid, p.change_id) AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY c.xid, c.change_id
                LIMIT %(limit)s
            ) AS c
            -- LIMIT 1 forces an index lookup per change.
            LEFT JOIN LATERAL (
                SELECT x.id, x.deleted_at, x.message_text, x.caption, x.file_name,
                    {message_columns.names(MESSAGE_COLUMNS, "x")},
                    coalesce(octet_length(x.message_text), 0) + coalesce(octet_length(x.caption), 0) AS size
                FROM whatsapp_messages AS x
                WHERE x.id = c.message
                LIMIT 1
            ) AS m ON true
        ) AS m
    ) AS m
    LEFT JOIN search_index AS s ON s.id = m.id AND m.fits
    ORDER BY m.xid, m.change_id
"""
_PARAMETERS: Final = {"length": search_document.MAX_LENGTH, "spelling": spelling.VERSION}


class NextChanges(NamedTuple):
    """The next changes after the position of the index."""

    positions: Sequence[tuple[str, int]]
    """(xid, change_id) of each."""
    messages: Collection[MessageToIndex]
    """The messages whose documents may be outdated by the changes, each once."""
    has_more: bool


def of_changes(connection: Connection, limit: int, max_bytes: int) -> NextChanges:
    """Read up to `limit` changes, whose texts together have at most `max_bytes`.

    The first text may be larger.
    """
    rows = connection.execute(_OF_CHANGES, {**_PARAMETERS, "limit": limit, "bytes": max_bytes}).fetchall()
    # `fits` is null for a change that is not about a text.
    read = list(itertools.takewhile(lambda row: row[2] is not False, rows))
    messages = {row[3]: cast("MessageToIndex", row[3:]) for row in read if row[3] is not None}
    positions = cast("list[tuple[str, int]]", [row[:2] for row in read])
    return NextChanges(positions, messages.values(), len(rows) == limit or len(read) < len(rows))


def of_rows(connection: Connection, row_ids: Sequence[int]) -> Sequence[MessageToIndex]:
    rows = connection.execute(_OF_ROWS, {**_PARAMETERS, "ids": list(row_ids)}).fetchall()
    return cast("list[MessageToIndex]", rows)

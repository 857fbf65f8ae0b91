"""Copies rows of new messages into the table."""

from collections.abc import Sequence
from typing import LiteralString, cast

from store.model import message_columns
from store.model.message_columns import Column
from store.postgres import copying
from store.postgres.connections import Connection

COLUMNS = (*message_columns.COPY, Column("status", "text"), Column("unread", "boolean"))
"""The columns of a row, apart from its id."""
_WITH_ID = (Column("id", "bigint"), *COLUMNS)
_COPY: LiteralString = f"COPY whatsapp_messages ({message_columns.names(_WITH_ID)}) FROM STDIN (FORMAT binary)"


def copy(connection: Connection, rows: Sequence[Sequence[object]]) -> Sequence[int]:
    """Insert rows of COLUMNS that cannot exist yet, and return their ids in the same order.

    psycopg truncates integers that are too large for their column. Of the columns with less than 64 bits, only
    `media_seconds` gets values from outside, and the parsers bound them.
    """
    if not rows:
        return ()
    reserved = connection.execute(
        "SELECT nextval('whatsapp_messages_id_seq') FROM generate_series(1, %s)", [len(rows)]
    ).fetchall()
    row_ids = [cast("int", row_id) for (row_id,) in reserved]
    with_ids = ((row_id, *row) for row_id, row in zip(row_ids, rows, strict=True))
    copying.copy(connection, _COPY, [column.type for column in _WITH_ID], with_ids)
    return row_ids

"""Lists the columns of messages and of updates once, for all statements that read or write them.

Statements are assembled from these lists with `names`, `declarations` and `assignments`. To add a column of the
content, add it to `CONTENT`, to the schema, to `facts.Message` and to the parser (docs/contributing.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Column:
    name: LiteralString
    type: LiteralString
    """The name of the type in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class ContentColumn(Column):
    field: str
    """The field of `facts.Message` that contains the value."""
    hidden_when_deleted: bool = False
    """True if readers get null after the message was deleted for everyone."""


IDENTITY = (
    Column("key_id", "bigint"),
    Column("chat_id", "bigint"),
    Column("session_id", "text"),
    Column("message_id", "text"),
    Column("direction", "text"),
)
NUMBERS = (Column("from_number", "text"), Column("to_number", "text"))
CONTENT = (
    ContentColumn("message_type", "text", "type"),
    ContentColumn("raw_type", "text", "raw_type"),
    ContentColumn("content_state", "text", "content_state"),
    ContentColumn("message_text", "text", "text", hidden_when_deleted=True),
    ContentColumn("caption", "text", "caption", hidden_when_deleted=True),
    ContentColumn("media_url", "text", "media_url", hidden_when_deleted=True),
    ContentColumn("mime_type", "text", "mime_type", hidden_when_deleted=True),
    ContentColumn("file_name", "text", "file_name", hidden_when_deleted=True),
    ContentColumn("media_seconds", "integer", "media_seconds", hidden_when_deleted=True),
    ContentColumn("reply_to", "text", "reply_to"),
    ContentColumn("forwarded", "text", "forwarded"),
)
"""The content of a message. It is copied as a whole from the best copy and never mixed from two copies."""
CONTENT_RANK = (
    Column("content_rank", "smallint"),
    Column("content_time", "bigint"),
    Column("content_tie", "bigint"),
)
"""The columns that decide which copy has the best content."""
MERGED = (
    Column("sender", "text"),
    Column("sender_name", "text"),
    Column("base_status", "text"),
    Column("timestamp", "bigint"),
    Column("time_source", "text"),
    Column("is_history", "boolean"),
)
"""The columns that are merged value by value from all copies."""
RECOMPUTED = (
    Column("status", "text"),
    Column("original_text", "text"),
    Column("edited_at", "bigint"),
    Column("deleted_at", "bigint"),
    Column("is_duplicate", "boolean"),
)
"""The columns that are computed from the copies and the updates (message_updates.py)."""
COPY = (*IDENTITY, *NUMBERS, *CONTENT, *MERGED, Column("receive_order", "bigint"), *CONTENT_RANK)
"""The columns of one event's copy of a message."""
STORED = (*COPY, *RECOMPUTED)
"""All columns without a default, except `unread`."""

UPDATE = (
    Column("key_id", "bigint"),
    Column("kind", "text"),
    Column("digest", "bytea"),
    Column("chat_id", "bigint"),
    Column("direction", "text"),
    Column("sender", "text"),
    Column("occurred_at", "bigint"),
    Column("status", "text"),
    Column("text", "text"),
)
"""The columns of a row of message_updates."""


def names(columns: Sequence[Column], alias: LiteralString = "") -> LiteralString:
    """Return the columns for SELECT or INSERT, such as `m.caption, m.media_url` for the alias `m`."""
    prefix: LiteralString = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{column.name}" for column in columns)


def declarations(columns: Sequence[Column]) -> LiteralString:
    """Return the columns of a recordset, such as `caption text, media_url text`."""
    return ", ".join(f"{column.name} {column.type}" for column in columns)


def assignments(columns: Sequence[Column], source: LiteralString) -> LiteralString:
    """Return the SET clause of an UPDATE, such as `caption = r.caption, media_url = r.media_url` for the source `r`."""
    return ", ".join(f"{column.name} = {source}.{column.name}" for column in columns)


def event_digest(update: LiteralString) -> LiteralString:
    """Return the digest of an update's event, without the digest of its author.

    store/history/messages/message_updates.py appends it.
    """
    return f"substr({update}.digest, 1, 32)"


def same_sender(message: LiteralString, update: LiteralString) -> LiteralString:
    """Return the condition that one person wrote the message and the update, as far as both identify a person.

    The person may have used different addresses.
    """
    return (
        f"({update}.sender = {message}.sender OR {update}.sender IS NULL OR {message}.sender IS NULL"
        f" OR canonical_address({message}.session_id, {update}.sender)"
        f" = canonical_address({message}.session_id, {message}.sender))"
    )

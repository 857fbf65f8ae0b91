"""The columns of a message and of an update, listed once for all statements that read or write them.

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
    """PostgreSQL's name of the type."""


@dataclass(frozen=True, slots=True)
class ContentColumn(Column):
    field: str
    """The field of `facts.Message` that holds the value."""
    hidden_when_deleted: bool = False
    """Readers get null after the message was deleted for everyone."""


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
)
"""The content is one tuple: the best copy's, never mixed from two copies."""
CONTENT_RANK = (
    Column("content_rank", "smallint"),
    Column("content_time", "bigint"),
    Column("content_tie", "bigint"),
)
"""Decides which copy's content is the best."""
MERGED = (
    Column("sender", "text"),
    Column("sender_name", "text"),
    Column("base_status", "text"),
    Column("timestamp", "bigint"),
    Column("time_source", "text"),
    Column("is_history", "boolean"),
)
"""Merged value by value from all copies."""
RECOMPUTED = (
    Column("status", "text"),
    Column("original_text", "text"),
    Column("edited_at", "bigint"),
    Column("deleted_at", "bigint"),
    Column("is_duplicate", "boolean"),
)
"""A function of the copies and the updates (store/history/message_updates.py)."""
COPY = (*IDENTITY, *NUMBERS, *CONTENT, *MERGED, Column("receive_order", "bigint"), *CONTENT_RANK)
"""The columns that one event's copy of a message has."""
STORED = (*COPY, *RECOMPUTED)
"""All columns that have no default, except `unread`."""

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
    """The columns of a SELECT or INSERT: `m.caption, m.media_url` for the alias `m`."""
    prefix: LiteralString = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{column.name}" for column in columns)


def declarations(columns: Sequence[Column]) -> LiteralString:
    """The columns of a recordset: `caption text, media_url text`."""
    return ", ".join(f"{column.name} {column.type}" for column in columns)


def assignments(columns: Sequence[Column], source: LiteralString) -> LiteralString:
    """The SET clause of an UPDATE: `caption = r.caption, media_url = r.media_url` for the source `r`."""
    return ", ".join(f"{column.name} = {source}.{column.name}" for column in columns)


def same_sender(message: LiteralString, update: LiteralString) -> LiteralString:
    """A condition: one person wrote the message and the update, under any addresses, as far as both name a person."""
    return (
        f"({update}.sender = {message}.sender OR {update}.sender IS NULL OR {message}.sender IS NULL"
        f" OR canonical_address({message}.session_id, {update}.sender)"
        f" = canonical_address({message}.session_id, {message}.sender))"
    )

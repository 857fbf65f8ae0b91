"""Builds the rows of messages and notes for tables for people, either CSV or workbooks."""

from collections.abc import Sequence
from typing import Any

from api.chats.exports.export_heading import ExportHeading
from store.reading.export import ExportChat

COLUMNS = (
    ("time", 19), ("chat", 24), ("number", 16), ("from", 24), ("direction", 10), ("type", 10), ("text", 80),
    ("file", 24), ("status", 10), ("session", 16), ("labels", 16), ("message", 24),
)  # fmt: skip
"""The columns and their widths in characters."""
NOTE_COLUMNS = (("time", 19), ("chat", 24), ("number", 16), ("author", 24), ("note", 80))


def column_names(heading: ExportHeading) -> list[str]:
    return [heading.word(name) for name, _ in COLUMNS]


def message_cells(fields: dict[str, Any], chat: ExportChat, heading: ExportHeading) -> Sequence[str | None]:
    """Return the cells of a message, without its time."""
    is_outgoing = fields["direction"] == "outgoing"
    kind, status = fields["message_type"], fields["status"]
    sender = sender_name(fields, chat.name) or (fields["sender"] and heading.spell_address(fields["sender"]))
    return (
        chat.name,
        heading.spell_address(fields["address"]),
        fields["from_number"] if is_outgoing else sender,
        heading.word(fields["direction"]),
        heading.word(f"type_{kind}", kind) if heading.language else kind,
        f"[{heading.word('deleted')}]" if fields["deleted"] else fields["message_text"] or fields["caption"],
        fields["file_name"],
        heading.word(f"status_{status}", status) if status and heading.language else status,
        heading.session_name(fields["session_id"]),
        ", ".join(chat.labels),
        fields["message_id"],
    )


def sender_name(fields: dict[str, Any], chat_name: str | None) -> str | None:
    """Return the name of the author, as reported with the message, or else the name of the chat with that person."""
    is_of_chat = fields["direction"] == "incoming" and not fields["sender"]
    return fields["sender_name"] or (chat_name if is_of_chat else None)

"""Parses messages that a backfill read from OpenWA's database."""

from store.model.facts import Fact
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import (
    json_document,
    message_content,
    message_facts,
    message_ids,
    parties,
    statuses,
    text,
    timestamps,
)


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read a message from `/sessions/{id}/messages`. Its `id` is that of the row."""
    record = event.data
    time = timestamps.parse(record.get("timestamp"))
    sides = parties.find(
        record.get("chatId"),
        is_ours=record.get("direction") == "outgoing",
        sender=record.get("author") or record.get("from"),
        push_name=record.get("chatName"),
        time=time,
    )
    metadata = json_document.object_at(record, "metadata")
    media, quoted = (json_document.object_at(metadata, key) for key in ("media", "quotedMessage"))
    content = message_content.of_words(
        text.label(record.get("type")) or "text",
        text.message_text(record.get("body")),
        mime_type=text.label(record.get("mediaMimetype") or media.get("mimetype")),
        file_name=text.label(media.get("filename"), text.MAX_NAME),
        reply_to=message_ids.bare(quoted.get("id")),
    )
    return message_facts.of(
        content,
        sides,
        message_id=message_ids.bare(record.get("waMessageId")),
        time=time,
        status=statuses.parse(record.get("status")),
        is_history=True,
    )

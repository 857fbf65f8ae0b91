"""Parses messages that a backfill read from GOWA's store, which contains less than GOWA's events."""

from store.model.facts import Fact
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import message_content, message_facts, message_ids, parties, text, timestamps


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read a message from `/chat/{jid}/messages`."""
    record = event.data
    time = timestamps.parse(record.get("timestamp"))
    sides = parties.find(
        record.get("chat_jid"),
        is_ours=record.get("is_from_me") is True,
        sender=record.get("sender_jid"),
        push_name=None,
        time=time,
    )
    content = message_content.of_words(
        text.label(record.get("media_type")) or "text",
        text.message_text(record.get("content")),
        file_name=text.label(record.get("filename"), text.MAX_NAME),
    )
    message_id = message_ids.bare(record.get("id"))
    return message_facts.of(content, sides, message_id=message_id, time=time, is_history=True)

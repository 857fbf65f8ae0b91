"""Builds the row of a message from the copy in one event."""

from store.history.events.parsed_events import KeyedFact
from store.history.messages import messages
from store.history.messages.messages import MessageCopy
from store.model import addresses, timestamps
from store.model.facts import Message


def build(keyed_fact: KeyedFact, ids: tuple[int, int], *, peer_phone: str | None, own_phone: str | None) -> MessageCopy:
    """Build the row of a message.

    `ids` are those of its key and its chat. `peer_phone` and `own_phone` are the phones of the two sides.
    """
    event, fact, (_, message_id) = keyed_fact
    assert isinstance(fact, Message), "updates are no copies"
    incoming = fact.direction == "incoming"
    timestamp, time_source = timestamps.effective(fact.time, event.received_at)
    key_id, chat_id = ids
    from_number, to_number = (peer_phone, own_phone) if incoming else (own_phone, peer_phone)
    base_status = fact.status or (None if incoming else "sent")
    receive_order = event.received_at * 65536 + event.order
    content_rank, content_tie = messages.rank(fact), messages.content_tiebreaker(event.digest)
    # Arguments by position take half of the time.
    return MessageCopy(
        key_id,
        chat_id,
        event.session_id,
        message_id,
        fact.direction,
        from_number,
        to_number,
        messages.content_of(fact),
        fact.sender,
        fact.sender_name,
        base_status,
        timestamp,
        time_source,
        fact.is_history,
        receive_order,
        content_rank,
        timestamp,  # of the content
        content_tie,
        addresses.is_group(fact.address),
    )


def peer_phone(canonical_address: str, fact: Message) -> str | None:
    """Return the phone of the contact, if known: the chat's phone, or in a group the sender's."""
    address = canonical_address
    if fact.sender is not None and addresses.is_group(address):
        address = fact.sender
    return address if addresses.is_phone(address) else None

"""Builds the row of a message from the copy in one event."""

from store.history import messages
from store.history.messages import MessageCopy
from store.history.parsed_events import KeyedFact
from store.model import addresses, timestamps
from store.model.facts import Message


def build(keyed_fact: KeyedFact, ids: tuple[int, int], *, peer_phone: str | None, own_phone: str | None) -> MessageCopy:
    """Build the row of a message.

    `ids` are those of its key and its chat. `peer_phone` and `own_phone` are the phones of the two sides.
    """
    event, fact, (_, message_id) = keyed_fact
    assert isinstance(fact, Message), "updates are no copies"
    incoming = fact.direction == "incoming"
    timestamp, source = timestamps.effective(fact.time, event.received_at)
    key_id, chat_id = ids
    return MessageCopy(
        key_id=key_id,
        chat_id=chat_id,
        session_id=event.session_id,
        message_id=message_id,
        direction=fact.direction,
        from_number=peer_phone if incoming else own_phone,
        to_number=own_phone if incoming else peer_phone,
        content=messages.content_of(fact),
        sender=fact.sender,
        sender_name=fact.sender_name,
        base_status=fact.status or (None if incoming else "sent"),
        timestamp=timestamp,
        time_source=source,
        is_history=fact.is_history,
        receive_order=event.received_at * 65536 + event.order,
        content_rank=messages.rank(fact),
        content_time=timestamp,
        content_tie=messages.content_tiebreaker(event.digest),
        is_in_group=addresses.kind_of(fact.address) == "group",
    )


def peer_phone(canonical_address: str, fact: Message) -> str | None:
    """Return the phone of the other side, if known: the chat's phone, or in a group the sender's."""
    address = canonical_address
    if addresses.kind_of(address) == "group" and fact.sender is not None:
        address = fact.sender
    return address if addresses.is_phone(address) else None

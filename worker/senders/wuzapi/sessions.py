"""Parses wuzapi's reports about its sessions."""

from store.model import addresses
from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.events import Event


def read_as(event: Event, state: SessionState) -> tuple[Fact, ...]:
    """Return the report of an event whose name is the state. A pairing also contains the session's own number."""
    phone = addresses.parse(event.data.get("ID"))
    own_phone = phone if phone is not None and addresses.is_phone(phone) else None
    return (SessionReport(state, own_phone, None),)

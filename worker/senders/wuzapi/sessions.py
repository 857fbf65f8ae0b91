"""Parses wuzapi's reports about its sessions."""

from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import parties


def read_as(event: GatewayEvent, state: SessionState) -> tuple[Fact, ...]:
    """Return the report of an event whose name is the state. A pairing also contains the session's own number."""
    return (SessionReport(state, parties.parse_own_phone(event.data.get("ID")), None),)

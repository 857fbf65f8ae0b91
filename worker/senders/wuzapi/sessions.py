"""Parses wuzapi's reports about its sessions."""

from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import parties


def report_state(event: GatewayEvent, state: SessionState) -> tuple[Fact, ...]:
    """Return the report that the session is in this state. A pairing also contains the session's own number."""
    return (SessionReport(state, parties.parse_own_phone(event.data.get("ID")), None),)

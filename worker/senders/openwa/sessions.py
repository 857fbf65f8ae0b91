"""Parses OpenWA's reports about its sessions."""

import re
from typing import Final

from store.model import addresses
from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import statuses, text

_STATES: Final[dict[str, SessionState]] = {
    **dict.fromkeys(("created", "initializing", "qr_ready", "authenticating"), "connecting"),
    "ready": "connected",
    **dict.fromkeys(("disconnected", "action_required", "failed"), "disconnected"),
}
_LOGGED_OUT: Final = re.compile(r"log(?:ged)?[ _-]?out|unpaired(?:[ _-]idle)?", re.IGNORECASE | re.ASCII)
"""The reasons for a disconnection after which the phone must be linked again."""


def read_status(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `session.status`."""
    return report_state(event, statuses.translate(text.label(event.data.get("status")), _STATES))


def report_state(event: GatewayEvent, state: SessionState) -> tuple[Fact, ...]:
    """Return the report that the session is in this state."""
    return (SessionReport(state, addresses.parse_phone(event.data.get("phone")), event.time),)


def read_disconnected(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `session.disconnected`, which has a reason."""
    is_logged_out = _LOGGED_OUT.fullmatch(text.label(event.data.get("reason")) or "")
    return report_state(event, "logged_out" if is_logged_out else "disconnected")

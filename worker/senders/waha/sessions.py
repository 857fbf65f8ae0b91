"""Parses WAHA's reports about its sessions."""

from typing import Final

from store.model import addresses
from store.model.facts import Fact, LidAlias, SessionReport, SessionState
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import json_document, parties, statuses, text

_STATES: Final[dict[str, SessionState]] = {
    "WORKING": "connected",
    **dict.fromkeys(("STARTING", "SCAN_QR_CODE"), "connecting"),
    **dict.fromkeys(("STOPPED", "FAILED"), "disconnected"),
}


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `session.status`, with the session's own number and LID once it is linked."""
    status = text.label(event.data.get("status"))
    is_passkey = status is not None and status.startswith("PASSKEY_")
    state = "connecting" if is_passkey else statuses.translate(status, _STATES)
    account = json_document.object_at(event.envelope, "me")
    own_phone = parties.parse_own_phone(account.get("id"))
    lid = addresses.parse_lid(account.get("lid"))
    alias = () if own_phone is None or lid is None else (LidAlias(lid, own_phone, event.time),)
    return (SessionReport(state, own_phone, event.time), *alias)

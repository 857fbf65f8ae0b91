"""Parses WAHA's reports about its sessions."""

from typing import Final

from store.model import addresses
from store.model.facts import Fact, LidAlias, SessionReport, SessionState
from worker.senders.events import Event
from worker.senders.reasons import Reason, UnreadableEventError
from worker.senders.whatsapp import json_document, text

_STATES: Final[dict[str, SessionState]] = {
    "WORKING": "connected",
    **dict.fromkeys(("STARTING", "SCAN_QR_CODE"), "connecting"),
    **dict.fromkeys(("STOPPED", "FAILED"), "disconnected"),
}


def read(event: Event) -> tuple[Fact, ...]:
    """Read `session.status`, with the session's own number and LID once it is linked."""
    status = text.label(event.data.get("status"))
    if status is None:
        raise UnreadableEventError(Reason.NO_STATUS)
    state = "connecting" if status.startswith("PASSKEY_") else _STATES.get(status)
    if state is None:
        raise UnreadableEventError(Reason.UNKNOWN_STATUS)
    account = json_document.as_object(event.envelope.get("me")) or {}
    phone = addresses.parse(account.get("id"))
    own_phone = phone if phone is not None and addresses.is_phone(phone) else None
    lid = addresses.parse_lid(account.get("lid"))
    alias = () if own_phone is None or lid is None else (LidAlias(lid, own_phone, event.time),)
    return (SessionReport(state, own_phone, event.time), *alias)

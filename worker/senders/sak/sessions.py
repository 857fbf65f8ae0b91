"""Parses reports of sessions in four dialects, and `status.change`, which is about a message or a session."""

from typing import Final

from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.sak import acks
from worker.senders.sak.envelope import Envelope, first_value
from worker.senders.whatsapp import json_document, parties, text

_STATE_KEYS = ("status", "state", "connection", "connectionStatus", "connection_status")
_PHONE_KEYS = ("phoneNumber", "phone_number", "phone", "number", "wid", "jid", "me")

_STATE_BY_WORD: Final[dict[str, SessionState]] = {
    **dict.fromkeys(("connected", "open", "online", "ready", "authenticated", "active", "working"), "connected"),
    **dict.fromkeys(("disconnected", "close", "closed", "offline", "stopped", "inactive"), "disconnected"),
    **dict.fromkeys(("connecting", "reconnecting", "initializing", "starting", "opening", "pairing"), "connecting"),
    **dict.fromkeys(("qr", "qr_ready", "qr_required", "scan_qr", "scan_qr_code"), "connecting"),
    **dict.fromkeys(("logged_out", "loggedout", "logout", "unauthorized", "unpaired"), "logged_out"),
}


def read_status_change(envelope: Envelope) -> tuple[Fact, ...]:
    """Read a status of a message, which has an id, or of a session, which has none."""
    return acks.read(envelope) if acks.find_ids(envelope) else read(envelope)


def read(envelope: Envelope) -> tuple[Fact, ...]:
    """Return the report of a session from the event's fields."""
    state_value = first_value(envelope.all_objects, _STATE_KEYS)
    if state_value is None and isinstance(connected := first_value(envelope.all_objects, ("connected",)), bool):
        state_value = "connected" if connected else "disconnected"
    phone = _find_phone(envelope)
    if state_value is None:
        if phone is None:
            raise NoFactsError(Reason.NO_STATUS)
        return (SessionReport(None, phone, envelope.time),)
    state = _STATE_BY_WORD.get((text.label(state_value) or "").lower().replace("-", "_").replace(" ", "_"))
    if state is None:
        raise NoFactsError(Reason.UNKNOWN_STATUS)
    return (SessionReport(state, phone, envelope.time),)


def report_state(envelope: Envelope, state: SessionState) -> tuple[Fact, ...]:
    """Return the report that the session is in this state."""
    return (SessionReport(state, _find_phone(envelope), envelope.time),)


def _find_phone(envelope: Envelope) -> str | None:
    """Return the session's own number. Bare digits count, because these fields are only for phones."""
    for key in _PHONE_KEYS:
        value = first_value(envelope.all_objects, (key,))
        fields = json_document.as_object(value)
        own_address = value if fields is None else first_value((fields,), ("id", "jid", "user"))
        if (phone := parties.parse_own_phone(own_address)) is not None:
            return phone
    return None

"""What a session says of itself, in four dialects; and `status.change`, which is a message's or a session's."""

from typing import Final

from store.model.facts import Fact, SessionReport, SessionState
from worker.sak import acks, address, json_document, text
from worker.sak.envelope import Envelope, first
from worker.sak.reasons import Reason, UnreadableError

_STATES = ("status", "state", "connection", "connectionStatus", "connection_status")
_PHONES = ("phoneNumber", "phone_number", "phone", "number", "wid", "jid", "me")

_WORDS: Final[dict[str, SessionState]] = {
    **dict.fromkeys(("connected", "open", "online", "ready", "authenticated", "active", "working"), "connected"),
    **dict.fromkeys(("disconnected", "close", "closed", "offline", "stopped", "inactive"), "disconnected"),
    **dict.fromkeys(("connecting", "reconnecting", "initializing", "starting", "opening", "pairing"), "connecting"),
    **dict.fromkeys(("qr", "qr_ready", "qr_required", "scan_qr", "scan_qr_code"), "connecting"),
    **dict.fromkeys(("logged_out", "loggedout", "logout", "unauthorized", "unpaired"), "logged_out"),
}


def status(envelope: Envelope) -> tuple[Fact, ...]:
    """A status of a message carries its id; one of a session does not."""
    return acks.read(envelope) if acks.message_ids(envelope) else read(envelope)


def read(envelope: Envelope) -> tuple[Fact, ...]:
    """The report of a session whose state is told beside the event's name."""
    told = first(envelope.everywhere, _STATES)
    if told is None and isinstance(connected := first(envelope.everywhere, ("connected",)), bool):
        told = "connected" if connected else "disconnected"
    phone = _phone(envelope)
    if told is None:
        if phone is None:
            raise UnreadableError(Reason.NO_STATUS)
        return (SessionReport(None, phone, envelope.time),)
    state = _WORDS.get((text.word(told) or "").lower().replace("-", "_").replace(" ", "_"))
    if state is None:
        raise UnreadableError(Reason.UNKNOWN_STATUS)
    return (SessionReport(state, phone, envelope.time),)


def reported(envelope: Envelope, state: SessionState) -> tuple[Fact, ...]:
    """The report of a session whose event's name says it all."""
    return (SessionReport(state, _phone(envelope), envelope.time),)


def _phone(envelope: Envelope) -> str | None:
    """The session's own number; a field of this name is about a phone, so bare digits are one."""
    for key in _PHONES:
        value = first(envelope.everywhere, (key,))
        fields = json_document.mapping(value)
        phone = address.read(value if fields is None else first((fields,), ("id", "jid", "user")))
        if phone is not None and address.is_phone(phone):
            return phone
    return None

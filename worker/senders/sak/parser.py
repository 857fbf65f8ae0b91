"""Parses any bytes as one event into one outcome, without clock, network or database."""

from collections.abc import Callable
from functools import partial
from typing import Final

from store.model.facts import Fact, Outcome
from worker.senders import results
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.results import ParseResult
from worker.senders.sak import acks, identity, messages, sessions, updates
from worker.senders.sak.envelope import Envelope, is_flat, is_true, open_envelope
from worker.senders.whatsapp import json_document, text
from worker.senders.whatsapp.json_document import JsonObject

_READERS: Final[dict[str, Callable[[Envelope], tuple[Fact, ...]]]] = {
    "message.received": messages.read_received,
    "message.sent": messages.read_sent,
    **dict.fromkeys(("message.reaction", "message.reacted"), updates.read_reaction),
    **dict.fromkeys(("message.edited", "message.edit"), updates.read_edit),
    **dict.fromkeys(("message.deleted", "message.delete", "message.revoked", "message.revoke"), updates.read_delete),
    **dict.fromkeys(("message.status", "message.ack", "message.status.update"), acks.read),
    "message.delivered": partial(acks.report_status, status="delivered"),
    "message.read": partial(acks.report_status, status="read"),
    "message.played": partial(acks.report_status, status="played"),
    "message.failed": partial(acks.report_status, status="failed"),
    "status.change": sessions.read_status_change,
    "session.status": sessions.read,
    "session.connected": partial(sessions.report_state, state="connected"),
    "session.disconnected": partial(sessions.report_state, state="disconnected"),
    "session.connecting": partial(sessions.report_state, state="connecting"),
    **dict.fromkeys(("session.logged_out", "session.loggedout"), partial(sessions.report_state, state="logged_out")),
}


def parse(body: bytes) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    try:
        fields = json_document.decode(body)
    except NoFactsError as error:
        return results.without_facts(error.reason)
    return ParseResult(_outcome(fields), identity.is_self_identifying(fields))


def _outcome(fields: JsonObject) -> Outcome:
    event = text.label(fields.get("event"))
    envelope = open_envelope(fields)
    if _is_ping(envelope):
        return Outcome("ping", None, envelope.session_id, event, envelope.time)
    try:
        return Outcome("stored", None, envelope.session_id, event, envelope.time, _facts(envelope, event))
    except NoFactsError as error:
        return Outcome(error.reason.kind, error.reason.value, envelope.session_id, event, envelope.time)


def _facts(envelope: Envelope, event: str | None) -> tuple[Fact, ...]:
    if _is_foreign_envelope(envelope):
        raise NoFactsError(Reason.FOREIGN_ENVELOPE)
    if event is None:
        raise NoFactsError(Reason.NO_EVENT)
    reader = _READERS.get(event)
    if reader is None:
        raise NoFactsError(Reason.UNKNOWN_EVENT)
    if envelope.session_id is None:
        # An invented session would show the message to readers whose token must not see it.
        raise NoFactsError(Reason.NO_SESSION)
    if _has_opaque_data(envelope):
        raise NoFactsError(Reason.UNKNOWN_SHAPE)
    return reader(envelope)


def _is_foreign_envelope(envelope: Envelope) -> bool:
    fields = envelope.root
    if envelope.session_id is None and fields.get("session"):
        return True
    return envelope.data is None and json_document.as_object(fields.get("payload")) is not None and not is_flat(fields)


def _has_opaque_data(envelope: Envelope) -> bool:
    """Return whether the event's fields must be in a `data` that is not an object, but a list or JSON in a string."""
    fields = envelope.root
    return envelope.data is None and bool(fields.get("data")) and not is_flat(fields)


def _is_ping(envelope: Envelope) -> bool:
    """Return whether the event is the gateway's test: flagged as such, with neither a message nor a sender."""
    fields = envelope.root
    if not is_true(fields.get("test")) and not (envelope.data is not None and is_true(envelope.data.get("test"))):
        return False
    names_sender = any(place.get(key) for place in envelope.all_objects for key in ("from", "to", "from_jid"))
    return not names_sender and envelope.message_id is None

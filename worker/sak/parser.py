"""One event in, one outcome out: for any bytes, without clock, network or database."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from store.model.facts import Fact, Outcome
from worker.sak import acks, identity, json_document, messages, sessions, text, updates
from worker.sak.envelope import Envelope, is_flat, is_true, open_envelope
from worker.sak.json_document import Fields
from worker.sak.reasons import Reason, UnreadableError

_Reader: TypeAlias = Callable[[Envelope], tuple[Fact, ...]]


class Reading(NamedTuple):
    """What one body turned out to be."""

    outcome: Outcome
    identifies_itself: bool
    """Whether equal bytes are the same event (worker/sak/identity.py)."""


_EVENTS: Final[dict[str, _Reader]] = {
    "message.received": messages.received,
    "message.sent": messages.sent,
    **dict.fromkeys(("message.reaction", "message.reacted"), updates.reacted),
    **dict.fromkeys(("message.edited", "message.edit"), updates.edited),
    **dict.fromkeys(("message.deleted", "message.delete", "message.revoked", "message.revoke"), updates.deleted),
    **dict.fromkeys(("message.status", "message.ack", "message.status.update"), acks.read),
    "message.delivered": partial(acks.acknowledged, reached="delivered"),
    "message.read": partial(acks.acknowledged, reached="read"),
    "message.played": partial(acks.acknowledged, reached="played"),
    "message.failed": partial(acks.acknowledged, reached="failed"),
    "status.change": sessions.status,
    "session.status": sessions.read,
    "session.connected": partial(sessions.reported, state="connected"),
    "session.disconnected": partial(sessions.reported, state="disconnected"),
    "session.connecting": partial(sessions.reported, state="connecting"),
    **dict.fromkeys(("session.logged_out", "session.loggedout"), partial(sessions.reported, state="logged_out")),
}


def read(body: bytes) -> Reading:
    """What an event says. Never raises; time and memory are proportional to the body's length."""
    try:
        fields = json_document.decode(body)
    except UnreadableError as error:
        return Reading(_unread(error.reason), identifies_itself=False)
    return Reading(_outcome(fields), identity.identifies_itself(fields))


def _outcome(fields: Fields) -> Outcome:
    event = text.word(fields.get("event"))
    envelope = open_envelope(fields)
    if _is_ping(envelope):
        return Outcome("ping", None, envelope.session_id, event, envelope.time)
    try:
        return Outcome("stored", None, envelope.session_id, event, envelope.time, _facts(envelope, event))
    except UnreadableError as error:
        return _unread(error.reason, envelope.session_id, event, envelope.time)


def _facts(envelope: Envelope, event: str | None) -> tuple[Fact, ...]:
    if _is_foreign(envelope):
        raise UnreadableError(Reason.FOREIGN_ENVELOPE)
    if event is None:
        raise UnreadableError(Reason.NO_EVENT)
    reader = _EVENTS.get(event)
    if reader is None:
        raise UnreadableError(Reason.UNKNOWN_EVENT)
    if envelope.session_id is None:
        # A session of our own making would show the message to readers whose token was never meant for it.
        raise UnreadableError(Reason.NO_SESSION)
    if _is_elsewhere(envelope):
        raise UnreadableError(Reason.UNKNOWN_SHAPE)
    return reader(envelope)


def _is_foreign(envelope: Envelope) -> bool:
    fields = envelope.document
    if envelope.session_id is None and fields.get("session"):
        return True
    return envelope.data is None and json_document.mapping(fields.get("payload")) is not None and not is_flat(fields)


def _is_elsewhere(envelope: Envelope) -> bool:
    """Whether what the event tells must be in a `data` that is no object: a list, or JSON in a string."""
    fields = envelope.document
    return envelope.data is None and bool(fields.get("data")) and not is_flat(fields)


def _is_ping(envelope: Envelope) -> bool:
    """The gateway's test carries a flag, and names neither a message nor a sender: with those it is a message."""
    fields = envelope.document
    if not is_true(fields.get("test")) and not (envelope.data is not None and is_true(envelope.data.get("test"))):
        return False
    names_sender = any(place.get(key) for place in envelope.everywhere for key in ("from", "to", "from_jid"))
    return not names_sender and envelope.message_id is None


def _unread(
    reason: Reason, session_id: str | None = None, event: str | None = None, time: int | None = None
) -> Outcome:
    return Outcome(reason.kind, reason.value, session_id, event, time)

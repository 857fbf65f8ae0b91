"""Parses Evolution's reports about its instances."""

from typing import Final

from store.model import addresses
from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.events import Event
from worker.senders.reasons import Reason, UnreadableEventError
from worker.senders.whatsapp import text

_STATES: Final[dict[str, SessionState]] = {
    "open": "connected",
    "connecting": "connecting",
    **dict.fromkeys(("close", "closed", "refused", "removed"), "disconnected"),
}
_LOGGED_OUT: Final = 401
"""The reason of a connection that closed because the phone removed the linked device."""


def read(event: Event) -> tuple[Fact, ...]:
    """Read `connection.update` and `status.instance`."""
    report = event.data
    word = text.label(report.get("state") or report.get("status"))
    if word is None:
        raise UnreadableEventError(Reason.NO_STATUS)
    state = _STATES.get(word)
    if state is None:
        raise UnreadableEventError(Reason.UNKNOWN_STATUS)
    if state == "disconnected" and report.get("statusReason") == _LOGGED_OUT:
        state = "logged_out"
    phone = addresses.parse(report.get("wuid"))
    own_phone = phone if phone is not None and addresses.is_phone(phone) else None
    return (SessionReport(state, own_phone, None),)


def read_as(_: Event, state: SessionState) -> tuple[Fact, ...]:
    """Return the report of an event whose name is the state."""
    return (SessionReport(state, None, None),)

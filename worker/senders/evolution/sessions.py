"""Parses Evolution's reports about its instances."""

from typing import Final

from store.model.facts import Fact, SessionReport, SessionState
from worker.senders.events import GatewayEvent
from worker.senders.whatsapp import parties, statuses, text

_STATES: Final[dict[str, SessionState]] = {
    "open": "connected",
    "connecting": "connecting",
    **dict.fromkeys(("close", "closed", "refused", "removed"), "disconnected"),
}
_LOGGED_OUT: Final = 401
"""The reason of a connection that closed because the phone removed the linked device."""


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `connection.update` and `status.instance`."""
    report = event.data
    state = statuses.translate(text.label(report.get("state") or report.get("status")), _STATES)
    if state == "disconnected" and report.get("statusReason") == _LOGGED_OUT:
        state = "logged_out"
    return (SessionReport(state, parties.parse_own_phone(report.get("wuid")), None),)


def report_state(_: GatewayEvent, state: SessionState) -> tuple[Fact, ...]:
    """Return the report that the session is in this state."""
    return (SessionReport(state, None, None),)

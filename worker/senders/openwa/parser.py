"""Parses one event of OpenWA."""

from functools import partial
from typing import Final

from worker.senders import events
from worker.senders.events import EventFormat
from worker.senders.openwa import history, messages, sessions
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, text
from worker.senders.whatsapp.json_document import JsonObject


def _session(fields: JsonObject) -> str | None:
    return text.identifier(fields.get("sessionId"))


def _is_self_identifying(fields: JsonObject) -> bool:
    """Return whether the body contains the time or id of its delivery, or the id of a message from a backfill."""
    data = json_document.object_at(fields, "data")
    return bool(fields.get("timestamp") or fields.get("deliveryId") or data.get("waMessageId"))


_FORMAT: Final = EventFormat(
    session=_session,
    data_key="data",
    readers={
        "message.received": messages.read_received,
        events.BACKFILL: history.read,
        "message.sent": messages.read_sent,
        "status.received": messages.read_status,
        "message.reaction": messages.read_reaction,
        "message.edited": messages.read_edit,
        "message.revoked": messages.read_delete,
        "message.ack": messages.read_ack,
        "message.receipt": messages.read_ack,
        "message.failed": messages.read_failure,
        "session.status": sessions.read_status,
        "session.authenticated": partial(sessions.report_state, state="connected"),
        "session.qr": partial(sessions.report_state, state="connecting"),
        "session.reconnect_loop": partial(sessions.report_state, state="disconnected"),
        "session.disconnected": sessions.read_disconnected,
    },
    noise={
        "call.": Reason.CALL,
        "group.": Reason.GROUP_CHANGE,
        "presence.": Reason.PRESENCE,
        "label.": Reason.GATEWAY_NOTICE,
        "session.restriction": Reason.GATEWAY_NOTICE,
    },
    is_self_identifying=_is_self_identifying,
    pings=frozenset({"test"}),
)


def parse(body: bytes) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    return events.parse(body, _FORMAT)

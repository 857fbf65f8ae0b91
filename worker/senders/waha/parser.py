"""Parses one event of WAHA."""

from typing import Final

from worker.senders import events
from worker.senders.events import EventFormat
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.waha import messages, sessions
from worker.senders.whatsapp import json_document, text
from worker.senders.whatsapp.json_document import JsonObject


def _session(fields: JsonObject) -> str | None:
    return text.identifier(fields.get("session"))


def _is_self_identifying(fields: JsonObject) -> bool:
    """Return whether the body contains the event's id or a time. Older versions add neither to an ack."""
    payload = json_document.object_at(fields, "payload")
    return bool(fields.get("id") or fields.get("timestamp") or payload.get("timestamp"))


_FORMAT: Final = EventFormat(
    session=_session,
    data_key="payload",
    readers={
        **dict.fromkeys(("message", "message.any"), messages.read),
        events.BACKFILL: messages.read_history,
        "message.waiting": messages.read_waiting,
        "message.reaction": messages.read_reaction,
        "message.edited": messages.read_edit,
        "message.revoked": messages.read_delete,
        **dict.fromkeys(("message.ack", "message.ack.group"), messages.read_ack),
        "session.status": sessions.read,
    },
    noise={
        "poll.": Reason.POLL_VOTE,
        "presence.": Reason.PRESENCE,
        "call.": Reason.CALL,
        "group.": Reason.GROUP_CHANGE,
        "label.": Reason.GATEWAY_NOTICE,
        "chat.": Reason.GATEWAY_NOTICE,
        "engine.": Reason.GATEWAY_NOTICE,
        "state.": Reason.GATEWAY_NOTICE,
        "event.": Reason.POLL_VOTE,
    },
    is_self_identifying=_is_self_identifying,
)


def parse(body: bytes) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    return events.parse(body, _FORMAT)

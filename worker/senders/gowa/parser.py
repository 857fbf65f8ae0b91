"""Parses one event of GOWA."""

from typing import Final

from store.model import addresses
from worker.senders import events
from worker.senders.events import EventFormat
from worker.senders.gowa import history, messages
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, text
from worker.senders.whatsapp.json_document import JsonObject


def _session(fields: JsonObject) -> str | None:
    """Return the name of the session: the digits of the device's number or, if it has none, its JID or name."""
    value = fields.get("device_id")
    return addresses.parse(value) or text.identifier(value)


def _is_self_identifying(fields: JsonObject) -> bool:
    """Return whether the body contains the id of a message or a time."""
    payload = json_document.object_at(fields, "payload")
    return bool(fields.get("timestamp") or payload.get("timestamp") or payload.get("id"))


_FORMAT: Final = EventFormat(
    session=_session,
    data_key="payload",
    readers={
        "message": messages.read,
        events.BACKFILL: history.read,
        "message.reaction": messages.read_reaction,
        "message.edited": messages.read_edit,
        "message.revoked": messages.read_delete,
        "message.ack": messages.read_ack,
    },
    noise={
        "message.deleted": Reason.LOCAL_DELETE,
        "call.": Reason.CALL,
        "chat_presence": Reason.PRESENCE,
        "presence": Reason.PRESENCE,
        "group.": Reason.GROUP_CHANGE,
        "label.": Reason.GATEWAY_NOTICE,
        "newsletter.": Reason.GATEWAY_NOTICE,
    },
    is_self_identifying=_is_self_identifying,
)


def parse(body: bytes) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    return events.parse(body, _FORMAT)

"""Parses one event of Evolution API."""

from functools import partial
from typing import Final

from worker.senders import events
from worker.senders.events import EventFormat
from worker.senders.evolution import contacts, messages, sessions
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.whatsapp import json_document, message_ids, text
from worker.senders.whatsapp.json_document import JsonObject


def _session(fields: JsonObject) -> str | None:
    return text.identifier(fields.get("instance"))


def _is_self_identifying(fields: JsonObject) -> bool:
    """Return whether the body contains the time of its delivery, which all attempts share, or the id of a message."""
    data = json_document.object_at(fields, "data")
    return bool(fields.get("date_time") or message_ids.of_key(data.get("key")))


_FORMAT: Final = EventFormat(
    session=_session,
    data_key="data",
    readers={
        **dict.fromkeys(("messages.upsert", "send.message", "send.message.update"), messages.read),
        **dict.fromkeys(("messages.set", events.BACKFILL), messages.read_history),
        "messages.update": messages.read_update,
        "messages.edited": messages.read_edit,
        "messages.delete": messages.read_delete,
        **dict.fromkeys(("contacts.set", "contacts.upsert", "contacts.update"), contacts.read),
        **dict.fromkeys(("connection.update", "status.instance"), sessions.read),
        "qrcode.updated": partial(sessions.report_state, state="connecting"),
        **dict.fromkeys(("logout.instance", "remove.instance"), partial(sessions.report_state, state="logged_out")),
    },
    noise={
        "presence.": Reason.PRESENCE,
        "call": Reason.CALL,
        "groups.": Reason.GROUP_CHANGE,
        "group.": Reason.GROUP_CHANGE,
        "group-participants.": Reason.GROUP_CHANGE,
        "chats.": Reason.GATEWAY_NOTICE,
        "labels.": Reason.GATEWAY_NOTICE,
        "typebot.": Reason.GATEWAY_NOTICE,
        "application.": Reason.GATEWAY_NOTICE,
        "instance.": Reason.GATEWAY_NOTICE,
        "new.": Reason.GATEWAY_NOTICE,
    },
    is_self_identifying=_is_self_identifying,
    has_lists=True,
)


def parse(body: bytes) -> ParseResult:
    """Parse one event. Never raises. Time and memory are proportional to the length of the body."""
    return events.parse(body, _FORMAT)

"""Reduces the message ids of gateways to WhatsApp's ids, which edits, receipts and other gateways share."""

from collections.abc import Callable
from typing import Final, NamedTuple

from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import json_document, text

_MAX_LISTED: Final = 1_000


class SerializedId(NamedTuple):
    """WhatsApp Web's long form of a message id: `false_919811000001@c.us_3EB0…`, followed by the sender in groups."""

    is_from_me: bool
    chat: str
    bare: str
    sender: str | None


def parse_serialized(value: object) -> SerializedId | None:
    """Return the parts of a long id, or None for any other value."""
    if not isinstance(value, str) or not value.startswith(("true_", "false_")):
        return None
    parts = value.split("_", 3)
    if len(parts) < 3 or not parts[1] or not parts[2]:
        return None
    return SerializedId(parts[0] == "true", parts[1], parts[2], parts[3] if len(parts) > 3 else None)


def bare(value: object) -> str | None:
    """Return WhatsApp's id of a message from either form, or None if there is none."""
    serialized = parse_serialized(value)
    return text.identifier(value if serialized is None else serialized.bare)


def of_key(key: object) -> str | None:
    """Return the message id in a protobuf key, or None if it has none."""
    fields = json_document.as_object(key)
    return None if fields is None else text.identifier(fields.get("id") or fields.get("ID"))


def require(message_id: str | None) -> str:
    """Return the id. Raises NoFactsError if there is none."""
    if message_id is None:
        raise NoFactsError(Reason.NO_MESSAGE_ID)
    return message_id


def listed(values: object, parse: Callable[[object], str | None] = bare) -> tuple[str, ...]:
    """Return the distinct ids in a list, read by `parse`, or none for any other value."""
    found = (parse(value) for value in (json_document.as_list(values) or [])[:_MAX_LISTED])
    return tuple(dict.fromkeys(each for each in found if each is not None))

"""Finds WhatsApp's protobuf message, `{"imageMessage": {"caption": …}}`, in an event that includes it."""

from worker.sak import json_document
from worker.sak.json_document import JsonObject
from worker.sak.message_types import MESSAGE_TYPES, NOISE_REASONS, WRAPPER_TYPES

_MAX_WRAPPERS = 8
_AUXILIARY_FIELDS = frozenset(
    {"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", "messageContextInfo"}
)
"""Fields beside the message proper, often before it."""


def find(objects: tuple[JsonObject, ...]) -> tuple[str, JsonObject] | None:
    """The first protobuf message that is, or lies in, one of these objects."""
    for place in objects:
        message = unwrap(place)
        if message is not None:
            return message
    return None


def unwrap(message: JsonObject) -> tuple[str, JsonObject] | None:
    """The innermost message's type and fields, out of its wrappers; None if this is no protobuf message."""
    for _ in range(_MAX_WRAPPERS):
        wrapped = _unwrap_once(message)
        if wrapped is None:
            break
        message = wrapped
    side: tuple[str, JsonObject] | None = None
    for name, value in message.items():
        if name == "conversation" and isinstance(value, str):
            return name, {"text": value}
        fields = json_document.as_object(value)
        if fields is None or not name.endswith(("Message", "Info", "V2", "V3", "V4", "V5")):
            continue
        if name in _AUXILIARY_FIELDS:
            side = side or (name, fields)
        elif name in MESSAGE_TYPES or name in NOISE_REASONS:
            return name, fields
    return side


def _unwrap_once(message: JsonObject) -> JsonObject | None:
    for name in WRAPPER_TYPES & message.keys():
        wrapper = json_document.as_object(message[name])
        inner = None if wrapper is None else json_document.as_object(wrapper.get("message"))
        if inner is not None:
            return inner
    return None


def find_text(message: JsonObject) -> str | None:
    """A protobuf message's text or caption; None if it has none."""
    unwrapped = unwrap(message)
    if unwrapped is None:
        return None
    _, fields = unwrapped
    for key in ("text", "caption", "conversation"):
        value = fields.get(key)
        if isinstance(value, str) and value:
            return value
    return None

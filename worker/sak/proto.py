"""A message as WhatsApp's own protobuf has it, `{"imageMessage": {"caption": …}}`, where a gateway passes it on."""

from worker.sak import json_document
from worker.sak.json_document import Fields
from worker.sak.message_types import NOISE, TYPES, WRAPPERS

_MAX_WRAPPERS = 8
_SIDE_FIELDS = frozenset(
    {"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", "messageContextInfo"}
)
"""They come along with the message proper, often first."""


def find(places: tuple[Fields, ...]) -> tuple[str, Fields] | None:
    """The first protobuf message that is, or lies in, one of these places."""
    for place in places:
        found = unwrap(place)
        if found is not None:
            return found
    return None


def unwrap(message: Fields) -> tuple[str, Fields] | None:
    """The innermost message's type and fields, out of its wrappers; None if this is no protobuf message."""
    for _ in range(_MAX_WRAPPERS):
        wrapped = _wrapped(message)
        if wrapped is None:
            break
        message = wrapped
    side: tuple[str, Fields] | None = None
    for name, value in message.items():
        if name == "conversation" and isinstance(value, str):
            return name, {"text": value}
        fields = json_document.mapping(value)
        if fields is None or not name.endswith(("Message", "Info", "V2", "V3", "V4", "V5")):
            continue
        if name in _SIDE_FIELDS:
            side = side or (name, fields)
        elif name in TYPES or name in NOISE:
            return name, fields
    return side


def _wrapped(message: Fields) -> Fields | None:
    for name in WRAPPERS & message.keys():
        wrapper = json_document.mapping(message[name])
        inner = None if wrapper is None else json_document.mapping(wrapper.get("message"))
        if inner is not None:
            return inner
    return None


def text(message: Fields) -> str | None:
    """What a protobuf message says in words, as its text or its caption."""
    found = unwrap(message)
    if found is None:
        return None
    _, fields = found
    for key in ("text", "caption", "conversation"):
        value = fields.get(key)
        if isinstance(value, str) and value:
            return value
    return None

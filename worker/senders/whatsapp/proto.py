"""Unwraps WhatsApp's protobuf message, `{"imageMessage": {"caption": …}}`."""

import re
from typing import NamedTuple

from worker.senders.whatsapp import json_document
from worker.senders.whatsapp.json_document import JsonObject
from worker.senders.whatsapp.message_types import (
    EDITED_TYPES,
    LEADING_TYPES,
    MESSAGE_TYPES,
    NOISE_REASONS,
    NOTICE_TYPES,
    PROTOCOL_TYPES,
    REACTION_TYPES,
    UNDECRYPTED_TYPES,
    WRAPPER_TYPES,
)

_MAX_WRAPPERS = 8
_NAME_PATTERN = re.compile(r"[a-z][A-Za-z]*Mess+age(?:V[0-9]+)?(?:Extension)?", re.ASCII)
"""The names of most fields, and of fields that the protobuf may add later."""
_OTHER_NAMES = frozenset({"messageContextInfo", "messageHistoryBundle", "messageHistoryNotice", "groupRootKeyShare"})
_WORD_NAMES = frozenset({"call", "eventCoverImage", "statusAddYours"})
"""Names that occur only as fields of a message."""
_KNOWN = frozenset((*MESSAGE_TYPES, *NOISE_REASONS, *WRAPPER_TYPES, *NOTICE_TYPES, *UNDECRYPTED_TYPES))
_UPDATE_TYPES = REACTION_TYPES | PROTOCOL_TYPES | EDITED_TYPES
_NO_FIELDS = frozenset({"contextInfo", "quotedMessage", "originalMessage", "lastMessage", "replyMessage", "key"})
"""Objects that gateways put beside the message's own fields."""


class _Scope(NamedTuple):
    """The names that count as fields of the protobuf."""

    is_message: bool
    """True if the object is the event's message. The protobuf may have fields that are in none of our lists."""
    is_protobuf: bool
    """True if it is certainly the protobuf. Then every object in it is a field, whatever its name."""

    def has(self, name: str) -> bool:
        if name in _OTHER_NAMES or (name in _KNOWN and _NAME_PATTERN.fullmatch(name)):
            return True
        if not self.is_message or name in _NO_FIELDS:
            return False
        return self.is_protobuf or name in _WORD_NAMES or _NAME_PATTERN.fullmatch(name) is not None


def unwrap(message: JsonObject, *, is_message: bool = True, is_protobuf: bool = False) -> tuple[str, JsonObject] | None:
    """Return the type and fields of the innermost message, or None if this is not a protobuf message.

    The order of preference is: a field of a known message, a change of another message, a field that may be a message,
    noise, and finally keys and context.
    """
    scope = _Scope(is_message, is_message and (is_protobuf or not LEADING_TYPES.isdisjoint(message)))
    for _ in range(_MAX_WRAPPERS):
        wrapped = _unwrap_once(message, scope)
        if wrapped is None:
            break
        message, scope = wrapped, _Scope(is_message=True, is_protobuf=True)
    best: tuple[int, str, JsonObject] | None = None
    for name, value in message.items():
        if name == "conversation" and isinstance(value, str):
            return name, {"text": value}
        fields = json_document.as_object(value)
        if fields is None or not scope.has(name):
            continue
        rank = _rank(name)
        if rank == 0:
            return name, fields
        if best is None or rank < best[0]:
            best = rank, name, fields
    return None if best is None else best[1:]


def _rank(name: str) -> int:
    """Return the position of a field among its siblings, smallest first."""
    if name in NOISE_REASONS:
        return 4 if name in LEADING_TYPES else 1 if name in _UPDATE_TYPES else 3
    return 0 if name in _KNOWN else 2


def _unwrap_once(message: JsonObject, scope: _Scope) -> JsonObject | None:
    for name, value in message.items():
        wrapper = json_document.as_object(value)
        inner = None if wrapper is None else json_document.as_object(wrapper.get("message"))
        if inner is not None and name not in NOTICE_TYPES and scope.has(name):
            return inner
    return None

"""Parses delivery statuses: words, numbers and WhatsApp's own names."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from store.model.facts import Status
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import text

T = TypeVar("T")

_STATUS_BY_WORD: Final[dict[str, Status]] = {
    **dict.fromkeys(("failed", "error", "error_ack"), "failed"),
    **dict.fromkeys(("pending", "queued", "clock", "pending_ack"), "pending"),
    **dict.fromkeys(("sent", "server", "server_ack"), "sent"),
    **dict.fromkeys(("delivered", "device", "delivery_ack"), "delivered"),
    **dict.fromkeys(("read", "seen", "read_ack"), "read"),
    **dict.fromkeys(("played", "played_ack"), "played"),
}
_STATUS_SCALE: Final[tuple[Status, ...]] = ("failed", "pending", "sent", "delivered", "read", "played")
FIRST_OF_SCALE: Final = -1
"""The first number on the scale of SAK and most gateways."""
FIRST_OF_BAILEYS_SCALE: Final = 0
"""The first number of Baileys' `status` beside a message key, which is the enumeration of the protobuf."""


def parse(value: object, first: int = FIRST_OF_SCALE) -> Status | None:
    """Return the status for a word, or for a number on the scale that starts at `first`, or None for other values."""
    if isinstance(value, str):
        word = (text.label(value) or "").lower()
        if not re.fullmatch(r"-?[0-9]", word, re.ASCII):
            return _STATUS_BY_WORD.get(word)
        value = int(word)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    place = value - first
    return _STATUS_SCALE[int(place)] if place in range(len(_STATUS_SCALE)) else None


def require(*values: object, first: int = FIRST_OF_SCALE) -> Status:
    """Return the first known status among the values. Raises NoFactsError if there is none."""
    for value in values:
        if (status := parse(value, first)) is not None:
            return status
    is_given = any(value is not None for value in values)
    raise NoFactsError(Reason.UNKNOWN_STATUS if is_given else Reason.NO_STATUS)


def translate(word: str | None, known: Mapping[str, T]) -> T:
    """Return the status or state for a gateway's own word. Raises NoFactsError if it is not known."""
    if word is None:
        raise NoFactsError(Reason.NO_STATUS)
    if word not in known:
        raise NoFactsError(Reason.UNKNOWN_STATUS)
    return known[word]

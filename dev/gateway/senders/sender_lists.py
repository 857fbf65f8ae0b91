"""Lists a chat's messages in the simulated gateways, for the kinds that keep a list."""

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final


def answer(kind: str, path: str, texts: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """Return the list at a path: an outgoing message for each text, and an incoming one.

    Return None for other paths.
    """
    for of_kind, pattern, wrap in _LISTS:
        if kind == of_kind and re.fullmatch(pattern, path):
            now = int(time.time())
            ours = [_MESSAGES[kind](f"3EB0L15T{at}", text, now, "outgoing") for at, text in enumerate(texts)]
            return wrap([*ours, _MESSAGES[kind]("3A0TH3R", "Ready", now, "incoming")])
    return None


def _waha(message_id: str, text: str, time: int, direction: str) -> dict[str, Any]:
    is_ours = direction == "outgoing"
    long_id = f"{str(is_ours).lower()}_919811000011@c.us_{message_id}"
    return {"id": long_id, "timestamp": time, "fromMe": is_ours, "body": text}


def _openwa(message_id: str, text: str, time: int, direction: str) -> dict[str, Any]:
    return {
        "id": f"row-{message_id}",
        "waMessageId": message_id,
        "direction": direction,
        "body": text,
        "timestamp": time,
    }


def _evolution(message_id: str, text: str, time: int, direction: str) -> dict[str, Any]:
    return {
        "key": {"id": message_id, "fromMe": direction == "outgoing"},
        "message": {"conversation": text},
        "messageTimestamp": time,
    }


def _gowa(message_id: str, text: str, time: int, direction: str) -> dict[str, Any]:
    moment = datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")
    return {"id": message_id, "content": text, "timestamp": moment, "is_from_me": direction == "outgoing"}


_MESSAGES: Final[dict[str, Callable[[str, str, int, str], dict[str, Any]]]] = {
    "waha": _waha,
    "openwa": _openwa,
    "evolution": _evolution,
    "gowa": _gowa,
}
_LISTS: Final[list[tuple[str, str, Callable[[list[dict[str, Any]]], Any]]]] = [
    ("waha", "/api/[^/]+/chats/[^/]+/messages", lambda messages: messages),
    ("openwa", "/api/sessions/[^/]+/messages", lambda messages: {"messages": messages, "total": len(messages)}),
    ("evolution", "/chat/findMessages/[^/]+", lambda messages: {"messages": {"total": 1, "records": messages}}),
    ("gowa", "/chat/[^/]+/messages", lambda messages: {"code": "SUCCESS", "results": {"data": messages}}),
]

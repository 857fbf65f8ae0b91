"""Lists the newest messages of one chat from a gateway, if its kind keeps a list."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

from api.gateway import times
from api.gateway.senders.send_apis import gowa_device
from api.gateway.senders.sender_responses import Place, message_id, objects, text, value_at

Call: TypeAlias = Callable[..., object]
"""SenderClient.call."""

_LIMIT: Final = 50
_MAX_WORDS: Final = 65_536


class Listed(NamedTuple):
    """A message of ours in the list."""

    message_id: str
    """The id from WhatsApp."""
    text: str
    """The text or the caption, which may be empty."""
    time: int
    """In ms."""


class _Shape(NamedTuple):
    """The places of the parts of a message."""

    ids: tuple[Place, ...]
    ours: tuple[Place, object]
    """The place that shows that the message is ours, and its value there."""
    texts: tuple[Place, ...]
    time: Place


def _waha(call: Call, session: str, to: str) -> object:
    path = f"/api/{quote(session, safe='')}/chats/{to}%40c.us/messages"
    return call("GET", f"{path}?limit={_LIMIT}&downloadMedia=false")


def _openwa(call: Call, session: str, to: str) -> object:
    path = f"/api/sessions/{quote(session, safe='')}/messages"
    answer = call("GET", f"{path}?chatId={to}%40c.us&limit={_LIMIT}&inlineMedia=false")
    return value_at(answer, ("messages",)) or value_at(answer, ("data",)) or answer


def _evolution(call: Call, session: str, to: str) -> object:
    where = {"key": {"remoteJid": f"{to}@s.whatsapp.net"}}
    body = {"where": where, "page": 1, "offset": _LIMIT}
    return value_at(call("POST", f"/chat/findMessages/{quote(session, safe='')}", body), ("messages", "records"))


def _gowa(call: Call, session: str, to: str) -> object:
    headers = {"X-Device-Id": gowa_device(session, call("GET", "/devices"))}
    answer = call("GET", f"/chat/{to}%40s.whatsapp.net/messages?limit={_LIMIT}", headers=headers)
    return value_at(answer, ("results", "data"))


_BAILEYS_TEXTS: Final[tuple[Place, ...]] = (
    *(("message", "conversation"), ("message", "extendedTextMessage", "text")),
    *(("message", f"{kind}Message", "caption") for kind in ("image", "video", "document")),
)
_LISTS: Final[Mapping[str, tuple[Callable[[Call, str, str], object], _Shape]]] = {
    "waha": (
        _waha,
        _Shape((("id",), ("id", "_serialized")), (("fromMe",), True), (("body",),), ("timestamp",)),
    ),
    "openwa": (
        _openwa,
        _Shape((("waMessageId",), ("id",)), (("direction",), "outgoing"), (("body",),), ("timestamp",)),
    ),
    "evolution": (
        _evolution,
        _Shape((("key", "id"),), (("key", "fromMe"), True), _BAILEYS_TEXTS, ("messageTimestamp",)),
    ),
    "gowa": (
        _gowa,
        _Shape((("id",),), (("is_from_me",), True), (("content",),), ("timestamp",)),
    ),
}
"""The request for the list and the shape of its messages, by kind. Meta and wuzapi keep no list."""


def newest(kind: str, call: Call, session: str, to: str) -> list[Listed] | None:
    """Return our newest messages to the digits `to`, or None if the kind keeps no list. Raises the errors of `call`."""
    if kind not in _LISTS:
        return None
    request, shape = _LISTS[kind]
    place, value = shape.ours
    messages = objects(request(call, session, to))
    found = [_listed(message, shape) for message in messages if value_at(message, place) == value]
    return [message for message in found if message is not None]


def _listed(message: dict[str, object], shape: _Shape) -> Listed | None:
    own_id, time = message_id(message, shape.ids), times.to_ms(text(value_at(message, shape.time)))
    words = next((word for place in shape.texts if (word := text(value_at(message, place), _MAX_WORDS))), "")
    return None if own_id is None or time is None else Listed(own_id, words, time)

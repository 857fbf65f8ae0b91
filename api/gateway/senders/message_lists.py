"""Lists the newest messages of one chat from a gateway, if its kind keeps a list."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from api.gateway import times
from api.gateway.senders.send_apis import gowa_device
from api.gateway.senders.sender_responses import GatewayCall, KeyPath, message_id, objects, text, value_at

_LIMIT: Final = 50
_MAX_TEXT: Final = 65_536


class ListedMessage(NamedTuple):
    """An outgoing message in the list."""

    message_id: str
    """The id from WhatsApp."""
    text: str
    """The text or the caption, which may be empty."""
    time: int
    """In ms."""


class _Shape(NamedTuple):
    """The paths of the parts of a message."""

    ids: tuple[KeyPath, ...]
    ours: tuple[KeyPath, object]
    """The path of the value that shows that the message is outgoing, and that value."""
    texts: tuple[KeyPath, ...]
    time: KeyPath


def _list_waha(call: GatewayCall, session: str, to: str) -> object:
    path = f"/api/{quote(session, safe='')}/chats/{to}%40c.us/messages"
    return call("GET", f"{path}?limit={_LIMIT}&downloadMedia=false")


def _list_openwa(call: GatewayCall, session: str, to: str) -> object:
    path = f"/api/sessions/{quote(session, safe='')}/messages"
    found = call("GET", f"{path}?chatId={to}%40c.us&limit={_LIMIT}&inlineMedia=false")
    return value_at(found, ("messages",)) or value_at(found, ("data",)) or found


def _list_evolution(call: GatewayCall, session: str, to: str) -> object:
    where = {"key": {"remoteJid": f"{to}@s.whatsapp.net"}}
    body = {"where": where, "page": 1, "offset": _LIMIT}
    return value_at(call("POST", f"/chat/findMessages/{quote(session, safe='')}", body), ("messages", "records"))


def _list_gowa(call: GatewayCall, session: str, to: str) -> object:
    headers = {"X-Device-Id": gowa_device(session, call("GET", "/devices"))}
    found = call("GET", f"/chat/{to}%40s.whatsapp.net/messages?limit={_LIMIT}", headers=headers)
    return value_at(found, ("results", "data"))


_BAILEYS_TEXTS: Final[tuple[KeyPath, ...]] = (
    *(("message", "conversation"), ("message", "extendedTextMessage", "text")),
    *(("message", f"{kind}Message", "caption") for kind in ("image", "video", "document")),
)
_LISTS: Final[Mapping[str, tuple[Callable[[GatewayCall, str, str], object], _Shape]]] = {
    "waha": (
        _list_waha,
        _Shape((("id",), ("id", "_serialized")), (("fromMe",), True), (("body",),), ("timestamp",)),
    ),
    "openwa": (
        _list_openwa,
        _Shape((("waMessageId",), ("id",)), (("direction",), "outgoing"), (("body",),), ("timestamp",)),
    ),
    "evolution": (
        _list_evolution,
        _Shape((("key", "id"),), (("key", "fromMe"), True), _BAILEYS_TEXTS, ("messageTimestamp",)),
    ),
    "gowa": (
        _list_gowa,
        _Shape((("id",),), (("is_from_me",), True), (("content",),), ("timestamp",)),
    ),
}
"""The request for the list and the shape of its messages, by kind. Meta and wuzapi keep no list."""


def newest(kind: str, call: GatewayCall, session: str, to: str) -> list[ListedMessage] | None:
    """Return the newest outgoing messages to the digits `to`, or None if the kind keeps no list.

    Raises the errors of `call`.
    """
    if kind not in _LISTS:
        return None
    request, shape = _LISTS[kind]
    path, value = shape.ours
    messages = objects(request(call, session, to))
    found = [_listed_message(message, shape) for message in messages if value_at(message, path) == value]
    return [message for message in found if message is not None]


def _listed_message(message: dict[str, object], shape: _Shape) -> ListedMessage | None:
    own_id, time = message_id(message, shape.ids), times.to_ms(text(value_at(message, shape.time)))
    body = next((found for path in shape.texts if (found := text(value_at(message, path), _MAX_TEXT))), "")
    return None if own_id is None or time is None else ListedMessage(own_id, body, time)

"""Defines how to send through each kind of gateway, and where its response contains WhatsApp's id.

Each kind is an entry of `SEND_APIS`. Recipients are digits, and sessions have the gateway's own names.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from api.gateway.errors import RefusedError
from api.gateway.http_session import GatewayRequest
from api.gateway.media import MediaFile
from api.gateway.multipart_upload import MultipartUpload
from api.gateway.senders import sender_responses
from api.gateway.senders.sender_responses import KeyPath
from environment import sender_errors

_MAX_INLINE_BYTES: Final = 16 << 20
"""The size limit in bytes of a file that is sent in base64, because such a file is in memory as a whole."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to send."""

    session: str
    to: str
    text: str
    """The text, or the caption of a file, which may be empty."""
    file: MediaFile | None = None
    reference: str | None = None
    """Our id of the send, which some gateways repeat in their events."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """A request before the send. The message is sent only after its response."""

    request: Callable[[OutgoingMessage, Mapping[str, str]], GatewayRequest | None]
    """Returns None if this message needs no preparation."""
    result: Callable[[OutgoingMessage, dict[str, Any]], str]
    """Returns the values that the send needs from the response. Raises RefusedError."""


@dataclass(frozen=True, slots=True)
class SendApi:
    """The interface for sending of one kind of gateway."""

    name: str
    """The name as its users know it."""
    credentials: Callable[[str], Mapping[str, str]]
    """Returns the headers for a key."""
    send: Callable[[OutgoingMessage, Mapping[str, str], str | None], GatewayRequest]
    """Returns the request, given the headers and the result of the preparation."""
    id_paths: tuple[KeyPath, ...]
    """The paths at which a response may contain WhatsApp's id."""
    preparation: Preparation | None = None
    base_url: str | None = None
    """The address of the gateway unless the settings contain one."""
    rate_limit_codes: frozenset[str] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict[str, str])
    """Sentences for error codes whose own text does not say what to do."""


def _inline(file: MediaFile) -> str:
    """Return the file in base64."""
    if file.size > _MAX_INLINE_BYTES:
        raise RefusedError(
            f"the file has more than {_MAX_INLINE_BYTES >> 20} MiB, which this gateway does not take in one request",
            code="file_too_large",
        )
    file.stream.seek(0)
    return base64.b64encode(file.stream.read(file.size)).decode()


def _post(path: str, credentials: Mapping[str, str], body: dict[str, object]) -> GatewayRequest:
    return GatewayRequest("POST", path, credentials, json={key: value for key, value in body.items() if value != ""})


def _upload(
    path: str, credentials: Mapping[str, str], fields: Mapping[str, str], name: str, file: MediaFile
) -> GatewayRequest:
    file.stream.seek(0)
    upload = MultipartUpload(fields, name, file)
    return GatewayRequest("POST", path, credentials, body=upload, content_type=upload.content_type)


def _send_waha(message: OutgoingMessage, credentials: Mapping[str, str], _: str | None) -> GatewayRequest:
    base: dict[str, object] = {"session": message.session, "chatId": f"{message.to}@c.us"}
    if message.file is None:
        return _post("/api/sendText", credentials, base | {"text": message.text})
    file = message.file
    content = {"mimetype": file.mime_type, "filename": file.name, "data": _inline(file)}
    path = {"image": "/api/sendImage", "video": "/api/sendVideo", "document": "/api/sendFile"}[file.kind]
    return _post(path, credentials, base | {"file": content, "caption": message.text})


def _send_openwa(message: OutgoingMessage, credentials: Mapping[str, str], _: str | None) -> GatewayRequest:
    base: dict[str, object] = {"chatId": f"{message.to}@c.us"}
    path = f"/api/sessions/{quote(message.session, safe='')}/messages/send-"
    if message.file is None:
        return _post(f"{path}text", credentials, base | {"text": message.text})
    file = message.file
    content = {"base64": _inline(file), "mimetype": file.mime_type, "filename": file.name, "caption": message.text}
    return _post(f"{path}{file.kind}", credentials, base | content)


def _send_evolution(message: OutgoingMessage, credentials: Mapping[str, str], _: str | None) -> GatewayRequest:
    instance = quote(message.session, safe="")
    base: dict[str, object] = {"number": message.to}
    if message.file is None:
        return _post(f"/message/sendText/{instance}", credentials, base | {"text": message.text})
    file = message.file
    content = {"mediatype": file.kind, "mimetype": file.mime_type, "fileName": file.name, "caption": message.text}
    return _post(f"/message/sendMedia/{instance}", credentials, base | content | {"media": _inline(file)})


def _send_wuzapi(message: OutgoingMessage, credentials: Mapping[str, str], _: str | None) -> GatewayRequest:
    base: dict[str, object] = {"Phone": message.to}
    if message.file is None:
        return _post("/chat/send/text", credentials, base | {"Body": message.text})
    file = message.file
    data = f"data:{'application/octet-stream' if file.kind == 'document' else file.mime_type};base64,{_inline(file)}"
    content = {file.kind.capitalize(): data, "FileName": file.name, "Caption": message.text}
    return _post(f"/chat/send/{file.kind}", credentials, base | content)


def _send_gowa(message: OutgoingMessage, credentials: Mapping[str, str], device: str | None) -> GatewayRequest:
    headers = credentials if device is None else {**credentials, "X-Device-Id": device}
    to = f"{message.to}@s.whatsapp.net"
    if message.file is None:
        return _post("/send/message", headers, {"phone": to, "message": message.text})
    part = {"image": "image", "video": "video", "document": "file"}[message.file.kind]
    fields = {"phone": to} | ({"caption": message.text} if message.text else {})
    return _upload(f"/send/{part}", headers, fields, part, message.file)


def gowa_device(session: str, devices: object) -> str:
    """Return the id of the device that has the session's number; its name may differ. Raises RefusedError."""
    for device in sender_responses.objects(sender_responses.value_at(devices, ("results",))):
        numbers = {re.split("[:@]", value)[0] for value in device.values() if isinstance(value, str)}
        found = device.get("id") or device.get("device") or device.get("device_id")
        if session in numbers and isinstance(found, str):
            return found
    raise RefusedError(f"GOWA has no device with the number +{session}", code="unknown_device")


def _send_meta(message: OutgoingMessage, credentials: Mapping[str, str], media_id: str | None) -> GatewayRequest:
    base: dict[str, object] = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": message.to}
    path = f"/{quote(message.session, safe='')}/messages"
    # Meta repeats the reference in each status, which identifies the send if its response was lost.
    base |= {"biz_opaque_callback_data": message.reference or ""}
    if message.file is None:
        return _post(path, credentials, base | {"type": "text", "text": {"body": message.text, "preview_url": False}})
    content = {"id": media_id} | ({"caption": message.text} if message.text else {})
    content |= {"filename": message.file.name} if message.file.kind == "document" else {}
    return _post(path, credentials, base | {"type": message.file.kind, message.file.kind: content})


def _meta_upload(message: OutgoingMessage, credentials: Mapping[str, str]) -> GatewayRequest | None:
    if message.file is None:
        return None
    fields = {"messaging_product": "whatsapp", "type": message.file.mime_type}
    return _upload(f"/{quote(message.session, safe='')}/media", credentials, fields, "file", message.file)


def _meta_media_id(_: OutgoingMessage, fields: dict[str, Any]) -> str:
    media_id: object = fields.get("id")
    if not isinstance(media_id, str | int):
        raise RefusedError("Meta took the file and gave no id for it", code="no_media_id")
    return str(media_id)


def _header(name: str, scheme: str = "") -> Callable[[str], Mapping[str, str]]:
    return lambda key: {name: f"{scheme}{key}"}


def _basic(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(key.encode()).decode()}"}


SEND_APIS: Final[Mapping[str, SendApi]] = {
    "waha": SendApi("WAHA", _header("X-Api-Key"), _send_waha, (("id",), ("id", "_serialized"), ("key", "id"))),
    "openwa": SendApi("OpenWA", _header("X-API-Key"), _send_openwa, (("messageId",), ("id",))),
    "evolution": SendApi("Evolution", _header("apikey"), _send_evolution, (("key", "id"),)),
    "wuzapi": SendApi("wuzapi", _header("Token"), _send_wuzapi, (("data", "Id"), ("data", "ID"))),
    "gowa": SendApi(
        "GOWA",
        _basic,
        _send_gowa,
        (("results", "message_id"),),
        preparation=Preparation(
            lambda _, headers: GatewayRequest("GET", "/devices", headers),
            lambda message, fields: gowa_device(message.session, fields),
        ),
    ),
    "meta": SendApi(
        "Meta",
        _header("Authorization", "Bearer "),
        _send_meta,
        (("messages", "id"),),
        preparation=Preparation(_meta_upload, _meta_media_id),
        base_url="https://graph.facebook.com/v23.0",
        rate_limit_codes=frozenset({"4", "80007", "130429", "131048", "131056"}),
        refusals=sender_errors.META,
    ),
}
"""The interfaces by the kind in `senders.toml`."""

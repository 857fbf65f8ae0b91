"""Parses the `data` of SAK's responses, which may differ from the documentation."""

import json
import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from api.gateway.errors import OutcomeUnknownError
from environment import secret_list

SendStatus: TypeAlias = Literal["sent", "queued", "failed"]


@dataclass(frozen=True, slots=True)
class WebhookRegistration:
    webhook_id: str
    url: str
    secret: str = field(repr=False)
    """The key that signs the webhook's events. SAK reveals it only here."""
    events: tuple[str, ...]
    new: bool
    """False if the URL was already registered, in which case its secret is unchanged."""


@dataclass(frozen=True, slots=True)
class Webhook:
    webhook_id: str
    session_id: str | None
    url: str
    events: tuple[str, ...]
    active: bool
    created_at: str | None


@dataclass(frozen=True, slots=True)
class PingResult:
    """The response of one webhook to SAK's test."""

    webhook_id: str | None
    url: str | None
    succeeded: bool
    status: int | None
    response_preview: str


@dataclass(frozen=True, slots=True)
class SendResponse:
    status: SendStatus
    message_id: str | None
    """WhatsApp's id if the message was sent, SAK's own id (which WhatsApp never uses) if it is queued, None if it
    failed.
    """
    reason: str | None = None
    """The reason of the failure. SAK gives it only for images and videos."""


@dataclass(frozen=True, slots=True)
class SentListEntry:
    """An entry of `GET /messages/history`."""

    message_id: str | None
    to: str
    """The recipient as given to SAK."""
    type: str
    status: str
    """The status at the time of the send. SAK never updates it."""
    created_at: str
    """In ISO 8601 or in the format of SAK's database."""


@dataclass(frozen=True, slots=True)
class SessionStatus:
    session_id: str | None
    connected: bool
    phone: str | None
    last_connected_at: str | None
    """In SAK's format (`api.gateway.times`)."""
    name: str | None


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """An entry of `GET /sessions`."""

    session_id: str
    auto_reply: bool | None
    """True if SAK replies to incoming messages automatically, or None if it does not report it."""


def parse_registration(data: object, *, url: str, new: bool) -> WebhookRegistration:
    row = _as_object(data)
    secret = row.get("secret")
    if not isinstance(secret, str) or not secret_list.is_token(secret):
        # The secret is written into a settings file, in which a line break would start another setting.
        raise OutcomeUnknownError("SAK's response has no secret that is one word of printable characters", status=200)
    return WebhookRegistration(
        webhook_id=_required_text(row, "webhookId", "id"),
        url=_printable_text(row, "url") or url,
        secret=secret,
        events=_event_names(row.get("events")),
        new=new,
    )


def parse_webhooks(data: object) -> list[Webhook]:
    return [
        Webhook(
            webhook_id=_required_text(row, "id", "webhookId"),
            session_id=_printable_text(row, "session_id", "sessionId"),
            url=_required_text(row, "url"),
            events=_event_names(row.get("events")),
            active=row.get("is_active", row.get("isActive", True)) not in (False, 0, None),
            created_at=_printable_text(row, "created_at", "createdAt"),
        )
        for row in _objects(data, "webhooks")
    ]


def parse_ping_results(data: object) -> list[PingResult]:
    return [
        PingResult(
            webhook_id=_printable_text(row, "webhookId", "id"),
            url=_printable_text(row, "url"),
            succeeded=row.get("ok") is True,
            status=status if isinstance(status := row.get("status"), int) else None,
            response_preview=_printable_text(row, "responsePreview", "error") or "",
        )
        for row in _objects(data, "results")
    ]


def parse_send_response(data: object) -> SendResponse:
    """Parse the result of a send by `status`, because SAK also responds with `success` for failed messages."""
    row = _as_object(data)
    status = row.get("status")
    if status not in ("sent", "queued", "failed"):
        raise OutcomeUnknownError("SAK's response to a send has no known status", status=200)
    return SendResponse(status, None if status == "failed" else _optional_text(row, "messageId"))


def parse_sent_messages(data: object) -> list[SentListEntry]:
    return [
        SentListEntry(
            message_id=_optional_text(row, "message_id", "messageId"),
            to=_optional_text(row, "to_number", "to") or "",
            type=_optional_text(row, "message_type", "type") or "",
            status=_optional_text(row, "status") or "",
            created_at=_optional_text(row, "created_at", "createdAt") or "",
        )
        for row in _objects(data, "messages")
    ]


def parse_session_status(data: object) -> SessionStatus:
    row = _as_object(data)
    if not isinstance(row.get("connected"), bool):
        raise OutcomeUnknownError("SAK's response does not say whether the session is connected", status=200)
    return SessionStatus(
        session_id=_printable_text(row, "sessionId"),
        connected=row["connected"] is True,
        phone=re.sub(r"[^0-9]", "", (_optional_text(row, "phoneNumber") or "").partition(":")[0]) or None,
        last_connected_at=_printable_text(row, "lastConnectedAt"),
        name=_printable_text(row, "name"),
    )


def parse_sessions(data: object) -> list[SessionSettings]:
    return [
        SessionSettings(
            session_id=_required_text(row, "id", "sessionId", "session_id"),
            auto_reply=flag if isinstance(flag := row.get("autoReplyEnabled"), bool) else None,
        )
        for row in _objects(data, "sessions")
    ]


def _as_object(data: object) -> dict[str, object]:
    if not isinstance(data, dict):
        raise OutcomeUnknownError("SAK's response has no data", status=200)
    return cast("dict[str, object]", data)


def _objects(data: object, name: str) -> list[dict[str, object]]:
    rows = cast("dict[str, object]", data).get(name) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise OutcomeUnknownError(f"SAK's response has no list of {name}", status=200)
    return [_as_object(row) for row in cast("list[object]", rows)]


def _optional_text(fields: dict[str, object], *names: str) -> str | None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _printable_text(fields: dict[str, object], *names: str) -> str | None:
    """Return the first of these fields that is text. Characters that could control a terminal become spaces."""
    text = _optional_text(fields, *names)
    return None if text is None else "".join(character if character.isprintable() else " " for character in text)


def _required_text(fields: dict[str, object], *names: str) -> str:
    value = _printable_text(fields, *names)
    if value is None:
        raise OutcomeUnknownError(f"SAK's response lacks {names[0]}", status=200)
    return value


def _event_names(value: object) -> tuple[str, ...]:
    """Return the names in a list, or in its text in a database format: `["a","b"]`, `{a,b}`, `a`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [name.strip(' "') for name in value.strip("{}").split(",")]
    names = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(name for name in names if isinstance(name, str) and name.isprintable() and name)

"""Parses the `data` of SAK's responses, which may differ from their documented form."""

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
    """Signs the events of the webhook; SAK reveals it only here."""
    events: tuple[str, ...]
    new: bool
    """False: the URL was registered already, and its secret is unchanged."""


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
    """If sent, WhatsApp's id; if queued, SAK's own, which WhatsApp never uses; if failed, None."""
    reason: str | None = None
    """Why it failed; SAK says so only for images and videos."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """An entry of `GET /messages/history`."""

    message_id: str | None
    to: str
    """As given to SAK."""
    type: str
    status: str
    """As at the time of the send; SAK never updates it."""
    created_at: str
    """ISO 8601, or the format of SAK's database."""


@dataclass(frozen=True, slots=True)
class SessionState:
    session_id: str | None
    connected: bool
    phone: str | None
    last_connected_at: str | None
    """As SAK writes it (`api.gateway.times`)."""
    name: str | None


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """An entry of `GET /sessions`."""

    session_id: str
    auto_reply: bool | None
    """Whether SAK answers incoming messages by itself; None: it does not say."""


def parse_registration(data: object, *, url: str, new: bool) -> WebhookRegistration:
    row = _as_object(data)
    secret = row.get("secret")
    if not isinstance(secret, str) or not secret_list.is_token(secret):
        # It is written into a file of settings: line breaks would set others.
        raise OutcomeUnknownError("SAK's response has no secret that is one word of printable characters", status=200)
    return WebhookRegistration(
        webhook_id=_required_text(row, "webhookId", "id"),
        url=_shown_text(row, "url") or url,
        secret=secret,
        events=_event_names(row.get("events")),
        new=new,
    )


def parse_webhooks(data: object) -> list[Webhook]:
    return [
        Webhook(
            webhook_id=_required_text(row, "id", "webhookId"),
            session_id=_shown_text(row, "session_id", "sessionId"),
            url=_required_text(row, "url"),
            events=_event_names(row.get("events")),
            active=row.get("is_active", row.get("isActive", True)) not in (False, 0, None),
            created_at=_shown_text(row, "created_at", "createdAt"),
        )
        for row in _objects(data, "webhooks")
    ]


def parse_ping_results(data: object) -> list[PingResult]:
    return [
        PingResult(
            webhook_id=_shown_text(row, "webhookId", "id"),
            url=_shown_text(row, "url"),
            succeeded=row.get("ok") is True,
            status=status if isinstance(status := row.get("status"), int) else None,
            response_preview=_shown_text(row, "responsePreview", "error") or "",
        )
        for row in _objects(data, "results")
    ]


def parse_send_response(data: object) -> SendResponse:
    """By `status`, as SAK responds with `success` also for failed messages."""
    row = _as_object(data)
    status = row.get("status")
    if status not in ("sent", "queued", "failed"):
        raise OutcomeUnknownError("SAK's response to a send has no known status", status=200)
    return SendResponse(status, None if status == "failed" else _optional_text(row, "messageId"))


def parse_sent_messages(data: object) -> list[SentMessage]:
    return [
        SentMessage(
            message_id=_optional_text(row, "message_id", "messageId"),
            to=_optional_text(row, "to_number", "to") or "",
            type=_optional_text(row, "message_type", "type") or "",
            status=_optional_text(row, "status") or "",
            created_at=_optional_text(row, "created_at", "createdAt") or "",
        )
        for row in _objects(data, "messages")
    ]


def parse_session_state(data: object) -> SessionState:
    row = _as_object(data)
    if not isinstance(row.get("connected"), bool):
        raise OutcomeUnknownError("SAK's response does not say whether the session is connected", status=200)
    return SessionState(
        session_id=_shown_text(row, "sessionId"),
        connected=row["connected"] is True,
        phone=re.sub(r"[^0-9]", "", (_optional_text(row, "phoneNumber") or "").partition(":")[0]) or None,
        last_connected_at=_shown_text(row, "lastConnectedAt"),
        name=_shown_text(row, "name"),
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


def _shown_text(fields: dict[str, object], *names: str) -> str | None:
    """The same for a terminal, whose cursor no character of SAK's moves."""
    text = _optional_text(fields, *names)
    return None if text is None else "".join(character if character.isprintable() else " " for character in text)


def _required_text(fields: dict[str, object], *names: str) -> str:
    value = _shown_text(fields, *names)
    if value is None:
        raise OutcomeUnknownError(f"SAK's response lacks {names[0]}", status=200)
    return value


def _event_names(value: object) -> tuple[str, ...]:
    """Of a list, or of its text in the format of a database: `["a","b"]`, `{a,b}`, `a`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [name.strip(' "') for name in value.strip("{}").split(",")]
    names = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(name for name in names if isinstance(name, str) and name.isprintable() and name)

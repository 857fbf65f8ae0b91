"""What SAK's answers say, read without trusting that they keep to their form."""

import json
import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from api.gateway.errors import UnknownError

SentStatus: TypeAlias = Literal["sent", "queued", "failed"]


@dataclass(frozen=True, slots=True)
class Registration:
    webhook_id: str
    url: str
    secret: str = field(repr=False)
    """Signs the webhook's events; SAK tells it only here."""
    events: tuple[str, ...]
    new: bool
    """False: SAK knew this URL, and its secret is what it was."""


@dataclass(frozen=True, slots=True)
class Webhook:
    webhook_id: str
    session_id: str | None
    url: str
    events: tuple[str, ...]
    active: bool
    created_at: str | None


@dataclass(frozen=True, slots=True)
class Ping:
    """How one webhook answered SAK's test."""

    webhook_id: str | None
    url: str | None
    ok: bool
    status: int | None
    preview: str


@dataclass(frozen=True, slots=True)
class Sent:
    status: SentStatus
    message_id: str | None
    """WhatsApp's, where sent. Where queued, a number that WhatsApp will never know. Where failed, None."""
    code: str | None = None
    reason: str | None = None
    """Why it failed, where SAK tells: of images and videos only."""


@dataclass(frozen=True, slots=True)
class Past:
    """A message of `GET /messages/history`."""

    message_id: str | None
    to: str
    """As it was given to SAK."""
    type: str
    status: str
    """As it was answered then; SAK never updates it."""
    created_at: str
    """As SAK writes it: ISO 8601, or what its database prints."""


@dataclass(frozen=True, slots=True)
class SessionState:
    session_id: str | None
    connected: bool
    phone: str | None
    last_connected_at: str | None


def registration(data: object, *, url: str, new: bool) -> Registration:
    row = _row(data)
    return Registration(
        webhook_id=_word(row, "webhookId", "id"),
        url=_optional(row, "url") or url,
        secret=_word(row, "secret"),
        events=_events(row.get("events")),
        new=new,
    )


def webhooks(data: object) -> list[Webhook]:
    return [
        Webhook(
            webhook_id=_word(row, "id", "webhookId"),
            session_id=_optional(row, "session_id", "sessionId"),
            url=_word(row, "url"),
            events=_events(row.get("events")),
            active=row.get("is_active", row.get("isActive", True)) not in (False, 0, None),
            created_at=_optional(row, "created_at", "createdAt"),
        )
        for row in _rows(data, "webhooks")
    ]


def pings(data: object) -> list[Ping]:
    return [
        Ping(
            webhook_id=_optional(row, "webhookId", "id"),
            url=_optional(row, "url"),
            ok=row.get("ok") is True,
            status=status if isinstance(status := row.get("status"), int) else None,
            preview=_optional(row, "responsePreview", "error") or "",
        )
        for row in _rows(data, "results")
    ]


def sent(data: object) -> Sent:
    """The status is what counts: SAK says `success` of failed messages too."""
    row = _row(data)
    status = row.get("status")
    if status not in ("sent", "queued", "failed"):
        raise UnknownError("SAK's answer to a send has no status that we know", status=200)
    return Sent(status, None if status == "failed" else _optional(row, "messageId"))


def history(data: object) -> list[Past]:
    return [
        Past(
            message_id=_optional(row, "message_id", "messageId"),
            to=_optional(row, "to_number", "to") or "",
            type=_optional(row, "message_type", "type") or "",
            status=_optional(row, "status") or "",
            created_at=_optional(row, "created_at", "createdAt") or "",
        )
        for row in _rows(data, "messages")
    ]


def session(data: object) -> SessionState:
    row = _row(data)
    if not isinstance(row.get("connected"), bool):
        raise UnknownError("SAK's answer does not say whether the session is connected", status=200)
    return SessionState(
        session_id=_optional(row, "sessionId"),
        connected=row["connected"] is True,
        phone=re.sub(r"[^0-9]", "", (_optional(row, "phoneNumber") or "").partition(":")[0]) or None,
        last_connected_at=_optional(row, "lastConnectedAt"),
    )


def _row(data: object) -> dict[str, object]:
    if not isinstance(data, dict):
        raise UnknownError("SAK's answer has no data", status=200)
    return cast("dict[str, object]", data)


def _rows(data: object, name: str) -> list[dict[str, object]]:
    rows = cast("dict[str, object]", data).get(name) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise UnknownError(f"SAK's answer has no list of {name}", status=200)
    return [_row(row) for row in cast("list[object]", rows)]


def _optional(row: dict[str, object], *names: str) -> str | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _word(row: dict[str, object], *names: str) -> str:
    word = _optional(row, *names)
    if word is None:
        raise UnknownError(f"SAK's answer lacks {names[0]}", status=200)
    return word


def _events(value: object) -> tuple[str, ...]:
    """A list, or its text as a database prints it: `["a","b"]`, `{a,b}`, `a`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [word.strip(' "') for word in value.strip("{}").split(",")]
    words = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(word for word in words if isinstance(word, str) and word)

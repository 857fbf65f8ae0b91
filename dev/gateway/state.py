"""Holds the state of the simulated gateway in memory."""

import hashlib
import re
import secrets
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from dev.gateway import responses
from dev.gateway.account import GatewayAccount

SendStatus = Literal["sent", "queued", "failed"]


@dataclass(frozen=True, slots=True)
class RegisteredWebhook:
    id: str
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...]
    active: bool
    created_at: str


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file of a message, with enough data to check that it arrived completely."""

    name: str
    mime_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RequestedSend:
    """A message that a client requested, and its outcome."""

    message_id: str | None
    """WhatsApp's id if it was sent, a random UUID if it is queued, None if it failed."""
    history_id: str
    """The id in `GET /messages/history`. A failed message has a random UUID there."""
    to: str
    """The recipient as the client wrote it."""
    phone: str | None
    """The recipient as SAK reads it, or None if it cannot."""
    type: str
    text: str
    status: SendStatus
    created_at: str
    attachment: ReceivedFile | None = None


def normalize_phone(to: str) -> str | None:
    """Return the number that SAK would dial, or None if it would fail."""
    digits = re.sub(r"[^0-9]", "", to)
    if len(digits) == 10 and not digits.startswith("91"):
        digits = "91" + digits
    return digits if 8 <= len(digits) <= 15 else None


class GatewayState:
    """The account's webhooks and messages, shared by the threads of the gateway."""

    def __init__(self, account: GatewayAccount) -> None:
        self.account = account
        self.auto_reply_enabled = False
        self.last_connected_at: str | None = responses.iso_now()
        self._connected = True
        self.listeners: list[Callable[[RequestedSend], None]] = []
        """Functions that are called with each message that reached WhatsApp."""
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._webhooks: dict[str, RegisteredWebhook] = {}
        self._history: list[RequestedSend] = []
        self._queue: list[RequestedSend] = []
        self._reached: list[RequestedSend] = []

    @property
    def connected(self) -> bool:
        """False while the session is not connected to WhatsApp, so that sends are queued."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        if connected and not self._connected:
            self.last_connected_at = responses.iso_now()
        self._connected = connected

    def register(self, url: str, events: Iterable[str], secret: str | None = None) -> tuple[RegisteredWebhook, bool]:
        """Return the webhook for this URL and whether it is new. Registering it again keeps its secret."""
        with self._lock:
            for known in self._webhooks.values():
                if known.url == url:
                    webhook = replace(known, events=tuple(dict.fromkeys(events)), active=True)
                    self._webhooks[webhook.id] = webhook
                    return webhook, False
            webhook = RegisteredWebhook(
                id=str(uuid.uuid4()),
                url=url,
                secret=secret or secrets.token_hex(32),
                events=tuple(dict.fromkeys(events)),
                active=True,
                created_at=responses.iso_now(),
            )
            self._webhooks[webhook.id] = webhook
            return webhook, True

    def webhooks(self) -> list[RegisteredWebhook]:
        with self._lock:
            return list(self._webhooks.values())

    def replace_webhook(self, webhook: RegisteredWebhook) -> None:
        with self._lock:
            self._webhooks[webhook.id] = webhook

    def remove_webhook(self, webhook_id: str) -> None:
        with self._lock:
            self._webhooks.pop(webhook_id, None)

    def count_call(self, call: str) -> None:
        with self._lock:
            self._seen[call] += 1

    def call_counts(self) -> dict[str, int]:
        """Return the number of requests per call, including those without a response."""
        with self._lock:
            return dict(self._seen)

    def send(
        self, to: str, kind: str, text: str, attachment: ReceivedFile | None, outcome: SendStatus | None
    ) -> RequestedSend:
        """Accept a message. `outcome` overrides its normal outcome."""
        phone = normalize_phone(to)
        status: SendStatus = outcome or ("queued" if not self.connected else "sent" if phone else "failed")
        message_id = {"sent": _new_message_id(), "queued": str(uuid.uuid4()), "failed": None}[status]
        sent = RequestedSend(
            message_id=message_id,
            history_id=message_id or str(uuid.uuid4()),
            to=to,
            phone=phone,
            type=kind,
            text=text,
            status=status,
            created_at=responses.iso_now(),
            attachment=attachment,
        )
        with self._lock:
            self._history.append(sent)
            if status == "queued":
                self._queue.append(sent)
        if status == "sent":
            self._deliver(sent)
        return sent

    def send_queued(self) -> list[RequestedSend]:
        """Send the queue under new ids. As with SAK, the history keeps the old ids."""
        with self._lock:
            queued, self._queue = self._queue, []
        arrived = [replace(message, message_id=_new_message_id(), status="sent") for message in queued]
        for sent in arrived:
            self._deliver(sent)
        return arrived

    def sent_messages(self) -> list[RequestedSend]:
        """Return all messages as SAK reported them, oldest first."""
        with self._lock:
            return list(self._history)

    def delivered_messages(self) -> list[RequestedSend]:
        """Return the messages that went to WhatsApp, oldest first, whatever the response was."""
        with self._lock:
            return list(self._reached)

    def _deliver(self, sent: RequestedSend) -> None:
        with self._lock:
            self._reached.append(sent)
        for listener in self.listeners:
            listener(sent)


def _new_message_id() -> str:
    return f"3EB0{secrets.token_hex(9).upper()}"


def read_attachment(name: str, mime_type: str, content: Iterable[bytes]) -> ReceivedFile:
    digest, size = hashlib.sha256(), 0
    for chunk in content:
        digest.update(chunk)
        size += len(chunk)
    return ReceivedFile(name, mime_type, size, digest.hexdigest())

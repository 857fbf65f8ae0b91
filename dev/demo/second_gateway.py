"""Simulates a second gateway for the demo's number: a WAHA that reports the same messages but loses some."""

import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from dev.demo.chat_generator import WebhookEvent

TIMEOUT_SECONDS: Final = 8.0
NAME: Final = "second"
"""The name of its sender at ingest."""
LOST_SHARE: Final = 0.2
"""The share of messages that it does not report."""
_SESSION: Final = "default"
_TEXT_TYPES: Final = frozenset({"conversation", "extendedTextMessage"})


@dataclass(frozen=True, slots=True)
class SecondGateway:
    webhook_url: str
    secret: str = field(repr=False)
    phone: str
    """The number that both gateways are linked to."""

    def report(self, event: WebhookEvent) -> None:
        """Post SAK's event in the format of WAHA, if it is a text and this gateway is not to lose it.

        Nobody retries.
        """
        if event.get("type") not in _TEXT_TYPES or self._is_lost(event):
            return
        body = json.dumps(self._waha_event(event), ensure_ascii=False, separators=(",", ":")).encode()
        signature = hmac.new(self.secret.encode(), body, hashlib.sha512).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Hmac": signature,
            "X-Webhook-Hmac-Algorithm": "sha512",
        }
        with requests.Session() as session:
            session.trust_env = False  # a webhook to this machine never goes through a proxy
            try:
                session.post(self.webhook_url, data=body, headers=headers, timeout=TIMEOUT_SECONDS)
            except requests.RequestException:
                return

    @staticmethod
    def _is_lost(event: WebhookEvent) -> bool:
        """Return whether a message is lost. The result is the same for every copy of the message."""
        return random.Random(event["messageId"]).random() < LOST_SHARE

    def _waha_event(self, event: WebhookEvent) -> Mapping[str, Any]:
        chat = str(event["from"]).replace("@s.whatsapp.net", "@c.us")
        data = {} if "pushName" not in event else {"pushName": event["pushName"]}
        payload = {
            "id": f"false_{chat}_{event['messageId']}",
            "timestamp": event["timestamp"],
            "from": chat,
            "fromMe": False,
            "source": "app",
            "body": event["text"],
            "hasMedia": False,
            "_data": data,
        }
        return {
            "id": f"evt_{event['messageId'].lower()}",
            "timestamp": event["timestamp"] * 1000,
            "event": "message.any",
            "session": _SESSION,
            "me": {"id": f"{self.phone}@c.us", "pushName": "Shop"},
            "payload": payload,
            "engine": "NOWEB",
        }

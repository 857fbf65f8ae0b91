"""Delivers a webhook like SAK: signed, with one attempt of 8 seconds."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT_SECONDS = 8.0
PREVIEW_CHARS = 500


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The receiver's response. `status` is None if there was none."""

    ok: bool
    status: int | None
    preview: str


def encode(event: Mapping[str, Any]) -> bytes:
    """Return the event as JavaScript's `JSON.stringify` writes it: without spaces, escaping only what is necessary."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(body: bytes, secret: str, event_name: str) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Accept": "application/json, text/plain, */*",
        "Content-Type": "application/json",
        "X-Webhook-Secret": secret,
        "X-Webhook-Signature": f"sha256={signature}",
        "X-Webhook-Event": event_name,
        "User-Agent": "axios/1.21.1",
    }


def deliver(url: str, secret: str, event: Mapping[str, Any]) -> DeliveryResult:
    body = encode(event)
    with requests.Session() as session:
        session.trust_env = False  # a webhook to this machine never goes through a proxy
        try:
            answer = session.post(
                url, data=body, headers=signed_headers(body, secret, str(event.get("event"))), timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            return DeliveryResult(ok=False, status=None, preview=type(error).__name__)
    return DeliveryResult(ok=answer.ok, status=answer.status_code, preview=answer.text[:PREVIEW_CHARS])

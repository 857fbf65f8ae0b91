"""Sends one notification to the push service of a device, with limits of time and size."""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

import requests
import urllib3

from api.gateway import transport
from api.push import encryption
from api.push.encryption import SigningKey
from store.access.push_subscriptions import Subscription
from store.reading.news import NewsItem

_CONNECT_SECONDS = 3.05
_SECONDS = 8.0
"""The maximum duration of a request, in seconds."""
_UNREACHABLE_SECONDS = 60.0
"""The time for which an unreachable push service gets no requests, in seconds."""
_LIFETIME_SECONDS = 24 * 3600
"""The time for which a push service keeps a notification for an offline device, in seconds."""
_MIN_WAIT_SECONDS, _MAX_WAIT_SECONDS = 60, 3600
"""The limits for the wait that a push service requests with Retry-After, in seconds."""
_MAX_RESPONSE_BYTES = 4096
_MAX_NAME_LENGTH, _MAX_TEXT_LENGTH = 100, 300
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of sending one notification."""

    SENT: ClassVar = "sent"

    outcome: str
    """The result as it is logged."""
    is_gone: bool = False
    """True if the device will never accept a notification again."""
    wait_seconds: int = 0
    """The time for which the device must not get a notification, in seconds."""


class PushClient:
    """The connections to the push services of all devices, which threads share."""

    def __init__(self, key: SigningKey, contact: str) -> None:
        self._key = key
        self._contact = contact
        self._unreachable_until: dict[str, float] = {}
        self._http = transport.create_session()

    def send(self, subscription: Subscription, item: NewsItem, seconds: float) -> Delivery:
        """Send the item within `seconds`."""
        host = urlsplit(subscription.endpoint).netloc
        if time.monotonic() < self._unreachable_until.get(host, 0.0):
            return Delivery("dropped")
        plaintext = content(subscription, item)
        if len(plaintext) > encryption.MAX_CONTENT_BYTES:
            return Delivery("too large")
        body = encryption.encrypt(plaintext, subscription.p256dh, subscription.auth)
        topic = hashlib.sha256(f"{item.session_id}\n{item.address}".encode()).digest()[:24]
        headers = {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(_LIFETIME_SECONDS),
            "urgency": "high",
            # A newer notification of the chat replaces one that the device has not received yet.
            "topic": encryption.encode(topic),
        }
        authorization = self._key.authorization(subscription.endpoint, self._contact)
        attempt = transport.RequestAttempt(min(_SECONDS, seconds))
        try:
            with (
                attempt.within_deadline(),
                self._http.post(
                    subscription.endpoint,
                    data=body,
                    headers=headers,
                    auth=transport.HeaderAuth({"authorization": authorization}),
                    timeout=(_CONNECT_SECONDS, _SECONDS),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                response.raw.read(_MAX_RESPONSE_BYTES)
                status, retry_after = response.status_code, response.headers.get("retry-after", "")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._set_unreachable(host)
            return Delivery(type(error).__name__)
        if status in _GONE:
            return Delivery("gone", is_gone=True)
        if status == 429 or status >= 500:
            return Delivery(f"HTTP {status}", wait_seconds=_wait_seconds(retry_after))
        return Delivery(Delivery.SENT if status < 300 else f"HTTP {status}")

    def close(self) -> None:
        self._http.close()

    def _set_unreachable(self, host: str) -> None:
        """Send nothing to this host for a while. Expired entries are removed, because clients choose the hosts."""
        now = time.monotonic()
        self._unreachable_until = {each: end for each, end in list(self._unreachable_until.items()) if end > now}
        self._unreachable_until[host] = now + _UNREACHABLE_SECONDS


def content(subscription: Subscription, item: NewsItem) -> bytes:
    """Return the JSON that the service worker of the dashboard shows (api/dashboard/service-worker.js)."""
    fields: dict[str, object] = {
        "session": item.session_id,
        "address": item.address,
        "id": item.message_id,
        "name": (item.name or "")[:_MAX_NAME_LENGTH],
        "sound": subscription.has_sound,
    }
    text = (item.text or "")[:_MAX_TEXT_LENGTH] if subscription.shows_text else ""
    # In UTF-8, a text in Hindi takes half the bytes of its escaped form.
    encoded = json.dumps({**fields, "text": text}, ensure_ascii=False).encode(errors="replace")
    if len(encoded) <= encryption.MAX_CONTENT_BYTES:
        return encoded
    return json.dumps({**fields, "name": ""}, ensure_ascii=False).encode(errors="replace")


def _wait_seconds(retry_after: str) -> int:
    """Return the seconds of Retry-After within the limits. A date, which push services do not send, is the minimum."""
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10 else 0
    return min(max(seconds, _MIN_WAIT_SECONDS), _MAX_WAIT_SECONDS)

"""Runs the whole system as `./run` does, with a client that signs webhooks as SAK does."""

import hashlib
import hmac
import json
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import requests

from dev.supervisor.stack import LocalStack
from tests.support.servers.server_folder import temporary_server_folder

WEBHOOK_SECRET = "5a4b0c0ffee00000000000000000000000000000000000000000000000000001"
"""The secret with which tests/payloads is signed."""
SESSION_ID = "11111111-2222-4333-8444-555555555555"
START_SECONDS = 1_734_621_000
CONNECTIONS = 16


@dataclass(frozen=True)
class RunningSystem:
    """A running stack from the perspective of a gateway and of a dashboard."""

    stack: LocalStack

    def post_webhook(self, body: bytes, headers: Mapping[str, str]) -> int:
        return requests.post(self.stack.webhook_url, data=body, headers=dict(headers), timeout=20).status_code

    def send_webhooks(self, bodies: list[bytes], *, connections: int = CONNECTIONS) -> float:
        """Post signed webhooks over persistent connections. Return the duration in seconds."""

        def post_share(number: int) -> None:
            with requests.Session() as session:
                for body in bodies[number::connections]:
                    response = session.post(self.stack.webhook_url, data=body, headers=signed_headers(body), timeout=20)
                    assert response.ok, response.text

        started = time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(post_share, range(connections)))
        return time.perf_counter() - started

    def get_data(self, path: str) -> dict[str, Any]:
        response = requests.get(
            self.stack.api_url + path, headers={"Authorization": f"Bearer {self.stack.token}"}, timeout=20
        )
        assert response.ok, response.text
        return cast("dict[str, Any]", response.json()["data"])

    def chats_by_address(self) -> dict[str, dict[str, Any]]:
        return {chat["address"]: chat for chat in self.get_data("/api/chats?limit=500")["contacts"]}

    def message_texts(self, address: str) -> list[str | None]:
        return [m["message_text"] for m in self.get_data(f"/api/chats/{address}?limit=500")["messages"]]


@contextmanager
def running_system(*arguments: str, **variables: str) -> Generator[RunningSystem]:
    """Run a stack with empty servers of its own until the block ends."""
    environment = {"WEBHOOK_SECRETS": WEBHOOK_SECRET, **variables}
    with temporary_server_folder() as folder, LocalStack(folder / "data", environment, arguments) as stack:
        yield RunningSystem(stack)


def signed_headers(body: bytes) -> dict[str, str]:
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Webhook-Signature": f"sha256={signature}", "Content-Type": "application/json"}


def message_webhook(phone: str, number: int, text: str) -> bytes:
    """Return a webhook as SAK sends it, with an id and a timestamp derived from the number."""
    return json.dumps(
        {
            "event": "message.received",
            "sessionId": SESSION_ID,
            "from": f"{phone}@s.whatsapp.net",
            "from_jid": f"{phone}@s.whatsapp.net",
            "messageId": f"3EB0{phone[-4:]}{number:08d}",
            "timestamp": START_SECONDS + number,
            "type": "conversation",
            "text": text,
            "wa_id": phone,
            "from_number": f"+{phone}",
            "pushName": "Asha",
        }
    ).encode()

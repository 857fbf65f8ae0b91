"""Creates reports that SAK documents but does not send: `message.sent` and the status of the message."""

import threading
import time
from typing import Any

from dev.gateway import delivery
from dev.gateway.state import GatewayState, RequestedSend

ACK_DELAYS = (("delivered", 0.4), ("read", 1.2))
"""Each ack with the seconds after the message."""


class MessageReports:
    """The reports of sent messages, which are posted to the registered webhooks if enabled. SAK itself posts none."""

    def __init__(self, memory: GatewayState, *, on: bool = False) -> None:
        self.enabled = on
        self._memory = memory
        memory.listeners.append(self.report)

    def report(self, sent: RequestedSend) -> None:
        if self.enabled:
            threading.Thread(target=self._send_reports, args=(sent,), daemon=True).start()

    def _send_reports(self, sent: RequestedSend) -> None:
        deliver_to_subscribers(self._memory, sent_event(self._memory, sent))
        waited = 0.0
        for status, after in ACK_DELAYS:
            time.sleep(after - waited)
            waited = after
            deliver_to_subscribers(self._memory, status_event(self._memory, sent, status))


def sent_event(memory: GatewayState, sent: RequestedSend) -> dict[str, Any]:
    """Return an event in the nested shape of the guide."""
    message = {"id": sent.message_id, "text": sent.text, "timestamp": int(time.time() * 1000)}
    if sent.type != "text":
        message |= {"type": sent.type, "caption": sent.text}
    return {
        "event": "message.sent",
        "sessionId": memory.account.session_id,
        "data": {"to": sent.phone, "message": message, "status": "sent"},
    }


def status_event(memory: GatewayState, sent: RequestedSend, status: str) -> dict[str, Any]:
    return {
        "event": "status.change",
        "sessionId": memory.account.session_id,
        "data": {
            "to": sent.phone,
            "messageId": sent.message_id,
            "status": status,
            "timestamp": int(time.time() * 1000),
        },
    }


def deliver_to_subscribers(memory: GatewayState, event: dict[str, Any]) -> list[delivery.DeliveryResult]:
    """Post the event once to every active webhook that subscribed to it."""
    return [
        delivery.deliver(webhook.url, webhook.secret, event)
        for webhook in memory.webhooks()
        if webhook.active and event["event"] in webhook.events
    ]

"""What a gateway better than today's would report of a sent message: `message.sent`, and how far it got."""

import threading
import time
from typing import Any

from dev.gateway import delivery
from dev.gateway.state import Memory, Sent

ACKS = (("delivered", 0.4), ("read", 1.2))
"""Each ack with the seconds after the message."""


class Reports:
    """Posts reports of what was sent to the registered webhooks, while it is on; SAK itself never does."""

    def __init__(self, memory: Memory, *, on: bool = False) -> None:
        self.on = on
        self._memory = memory
        memory.listeners.append(self.tell)

    def tell(self, sent: Sent) -> None:
        if self.on:
            threading.Thread(target=self._tell, args=(sent,), daemon=True).start()

    def _tell(self, sent: Sent) -> None:
        emit(self._memory, message_sent(self._memory, sent))
        waited = 0.0
        for status, after in ACKS:
            time.sleep(after - waited)
            waited = after
            emit(self._memory, ack(self._memory, sent, status))


def message_sent(memory: Memory, sent: Sent) -> dict[str, Any]:
    """The guide's nested shape."""
    message = {"id": sent.message_id, "text": sent.text, "timestamp": int(time.time() * 1000)}
    if sent.type != "text":
        message |= {"type": sent.type, "caption": sent.text}
    return {
        "event": "message.sent",
        "sessionId": memory.account.session_id,
        "data": {"to": sent.phone, "message": message, "status": "sent"},
    }


def ack(memory: Memory, sent: Sent, status: str) -> dict[str, Any]:
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


def emit(memory: Memory, event: dict[str, Any]) -> list[delivery.Result]:
    """One try at every active webhook that subscribed to the event."""
    return [
        delivery.deliver(webhook.url, webhook.secret, event)
        for webhook in memory.webhooks()
        if webhook.active and event["event"] in webhook.events
    ]

"""Simulates a gateway whose people keep writing, and reply to messages that they receive."""

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from dev.demo.chat_generator import ChatGenerator, WebhookEvent
from dev.demo.second_gateway import NAME, SecondGateway
from dev.gateway import message_reports
from dev.gateway.server import PretendGateway
from dev.gateway.state import RequestedSend

HISTORY_INTERVAL = 0.02
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class DemoSettings:
    webhook_url: str
    """The address to which webhooks are posted."""
    webhook_secret: str = field(repr=False)
    gateway_port: int
    second_gateway: SecondGateway | None
    """A gateway that reports the same messages, or None if ingest has no sender for it."""
    seed: str | None
    """The seed of the conversation, or None for a conversation that differs at each start."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings. Raises ValueError with a sentence that names what is missing."""
        secret = environ.get("WEBHOOK_SECRETS", "").split(",")[0].strip()
        if not secret:
            raise ValueError("WEBHOOK_SECRETS is not set: the demo signs its webhooks with the first of them")
        port = environ.get("GATEWAY_PORT", "3002")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError("GATEWAY_PORT must be a port number")
        return cls(
            webhook_url=_webhook_url(environ),
            webhook_secret=secret,
            gateway_port=int(port),
            second_gateway=_second_gateway(environ),
            seed=environ.get("DEMO_SEED") or None,
        )


def _webhook_url(environ: Mapping[str, str]) -> str:
    return environ.get("INGEST_URL") or "http://127.0.0.1:3000/whatsapp-webhook"


def _second_gateway(environ: Mapping[str, str]) -> SecondGateway | None:
    secret, phone = environ.get("SENDER_SECRETS"), environ.get("SENDER_ACCOUNT")
    if environ.get("SENDER_NAME") != NAME or not secret or not phone:
        return None
    return SecondGateway(f"{_webhook_url(environ).rpartition('/')[0]}/webhooks/{NAME}", secret, phone)


class DemoConversation:
    """The conversation: messages that people write, and their replies when they are due."""

    def __init__(self, gateway: PretendGateway, seed: str | None, second: SecondGateway | None = None) -> None:
        self._gateway = gateway
        self._second = second
        self._stop = threading.Event()
        self._sent: queue.SimpleQueue[RequestedSend] = queue.SimpleQueue()
        gateway.state.listeners.append(self._sent.put)
        session_id = gateway.account.session_id
        day = int(time.time()) // 86400 * 86400
        # The past is the same all day, so a second start of the demo repeats it like a reconnect.
        self._past = ChatGenerator(f"{seed or 'demo'} {day}", session_id).past_events(day)
        self._present = ChatGenerator(f"{seed or time.time_ns()} live", session_id)

    def run(self) -> None:
        """Run until stopped."""
        self._wait_for_receiver()
        for event in self._past:
            self._deliver(event)
            if self._stop.wait(HISTORY_INTERVAL):
                return
        self._run_live()

    def stop(self) -> None:
        self._stop.set()

    def _wait_for_receiver(self) -> None:
        """Wait until the receiver listens, because a webhook without a receiver is not repeated."""
        while not any(result.status for result in self._deliver(self._past[0])):
            if self._stop.wait(RETRY_SECONDS):
                return

    def _run_live(self) -> None:
        turns = self._present.live_events(_unix_seconds())
        due: list[tuple[float, int, WebhookEvent]] = []
        order = itertools.count()
        following = next(turns)
        heapq.heappush(due, (time.monotonic() + following.delay_seconds, next(order), following.event))
        own = due[0][1]
        while True:
            while not self._sent.empty():
                reply = self._present.reply(self._sent.get().phone or "", int(time.time()))
                heapq.heappush(due, (time.monotonic() + reply.delay_seconds, next(order), reply.event))
            if self._stop.wait(min(0.2, max(0.0, due[0][0] - time.monotonic()))):
                return
            if due[0][0] > time.monotonic():
                continue
            _, number, event = heapq.heappop(due)
            self._deliver(event)
            if number == own:
                following, own = next(turns), next(order)
                heapq.heappush(due, (time.monotonic() + following.delay_seconds, own, following.event))

    def _deliver(self, event: WebhookEvent) -> list[message_reports.delivery.DeliveryResult]:
        results = message_reports.deliver_to_subscribers(self._gateway.state, event)
        if self._second is not None:
            self._second.report(event)
        return results


def _unix_seconds() -> Iterator[int]:
    while True:
        yield int(time.time())

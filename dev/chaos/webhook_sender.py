"""Sends generated events like the gateway: signed, with one attempt and one connection each, at a steady rate."""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dev.chaos import event_generator

TIMEOUT_SECONDS = 8.0
"""The time in seconds after which the gateway gives up waiting for a response."""
MAX_IN_FLIGHT = 1_500
"""The greatest number of concurrent events. A restart of ingest at 500 events a second takes about half of it."""
WEBHOOK_PATH = "/whatsapp-webhook"


@dataclass(slots=True)
class DeliveryLog:
    """The outcomes of the sent events."""

    acknowledged: list[bytes] = field(default_factory=list[bytes])
    unanswered: list[bytes] = field(default_factory=list[bytes])
    """Events without a response, because the connection was reset or closed or the time was up."""
    refused: list[bytes] = field(default_factory=list[bytes])
    """Events that were answered with another status than 2xx."""
    refusals: list[str] = field(default_factory=list[str])
    """The responses to the refused events, each with the time of day."""
    latencies: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """The due time of each acknowledged event by the monotonic clock, and its latency in seconds."""

    def p99_latency(self, since: float, until: float) -> float:
        """Return the latency in seconds that 99 % of the events due in a period did not exceed."""
        took = sorted(latency for due, latency in self.latencies if since <= due < until)
        return took[min(len(took) - 1, int(len(took) * 0.99))] if took else 0.0


class WebhookSender:
    """A thread that sends events at a fixed rate, whether or not responses arrive, up to MAX_IN_FLIGHT at a time."""

    def __init__(self, port: int, events: event_generator.EventGenerator, rate: float) -> None:
        self.deliveries = DeliveryLog()
        self._port = port
        self._events = events
        self._rate = rate
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="sender", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> DeliveryLog:
        """Stop sending. Return when every event has a response or is given up."""
        self._stopping = True
        self._thread.join()
        return self.deliveries

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _send(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        start = time.monotonic()
        sent = 0
        while not self._stopping:
            due = int((time.monotonic() - start) * self._rate) + 1
            # On an overloaded machine, more concurrent requests would all time out. With the limit, fewer are sent.
            for number in range(sent, min(due, sent + MAX_IN_FLIGHT - len(tasks))):
                task = asyncio.create_task(self._send_one(next(self._events), start + number / self._rate))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent = number + 1
            await asyncio.sleep(max(0.001, start + sent / self._rate - time.monotonic()))
        await asyncio.gather(*tasks)

    async def _send_one(self, body: bytes, due: float) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, answer = await self._post(body)
        except (OSError, EOFError, TimeoutError):
            self.deliveries.unanswered.append(body)
            return
        if 200 <= status < 300:
            self.deliveries.acknowledged.append(body)
            self.deliveries.latencies.append((due, time.monotonic() - due))
        else:
            self.deliveries.refused.append(body)
            self.deliveries.refusals.append(f"{time.strftime('%X')} {status} {answer}")

    async def _post(self, body: bytes) -> tuple[int, str]:
        """Return the status and the body of the response."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(
                f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"X-Webhook-Signature: {event_generator.sign(body)}\r\nX-Webhook-Secret: {event_generator.SECRET}\r\n"
                f"X-Webhook-Event: message.received\r\nUser-Agent: axios/1.7.0\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
            if not head:
                raise EOFError
            return int(head.split(b" ", 2)[1]), answer.decode(errors="replace")
        finally:
            writer.close()
